// A SIP message as an index over its bytes: nothing is copied, and no string is made, until somebody asks (RFC 3261 §7).
export {};
