// Sockets and names as the rooms see them. Hosts are numeric addresses here ('192.0.2.1', '2001:db8::1'); names go through Resolver.

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** A bound UDP socket. */
export interface DatagramSocket {
  readonly local: Endpoint;
  /** Hand `bytes` to the network. They may be reused once this returns. Failures arrive at `onError`. */
  send(bytes: Uint8Array, to: Endpoint): void;
  /** Hands over what has come, and from the first time on nothing comes otherwise: for whoever asks often. Absent: datagrams come by themselves. */
  poll?(): void;
  close(): void;
}

export interface DatagramHandler {
  /** `bytes` belong to the receiver from now on. They came `ageMs` ago, now unless told. */
  onDatagram(bytes: Buffer, from: Endpoint, ageMs?: number): void;
  /** A send to `to` failed (ICMP refusal, no route); the socket lives on. */
  onError(error: Error, to: Endpoint | undefined): void;
}

/** What goes over a TCP connection: bytes, bytes inside TLS, or messages of WebSocket (RFC 7118), one a call of send() and onBytes(). */
export type StreamKind = 'tcp' | 'tls' | 'ws' | 'wss';

/** A connected stream. */
export interface StreamSocket {
  readonly local: Endpoint;
  readonly remote: Endpoint;
  /** Over WebSocket CRLFCRLF is sent as its ping; the pong comes to onBytes as CRLF. */
  send(bytes: Uint8Array): void;
  close(): void;
  /** TLS: whether the certificate of the other side, which was checked, is good for `name` too. */
  covers?(name: string): boolean;
}

/** How to connect; TCP unless told. */
export interface Way {
  readonly kind?: StreamKind | undefined;
  /** TLS and WebSocket: whom we mean to reach. The certificate must bear that name. */
  readonly name?: string | undefined;
  /** The address of ours to connect from. */
  readonly localHost?: string | undefined;
}

export interface StreamHandler {
  onOpen(): void;
  onBytes(bytes: Buffer): void;
  /**
   * The stream is gone, once; `error` is undefined when the other side closed it. Its `code` is the system's, or NOT_TRUSTED where TLS failed
   * by a certificate of either side; its message then is a sentence for the owner of the phone.
   */
  onClose(error: Error | undefined): void;
}

export interface StreamListener {
  readonly local: Endpoint;
  close(): void;
}

export interface Network {
  /**
   * Bind a UDP socket; port 0 lets the system choose. A multicast address is joined, and shared with other programs that do the same. Rejects with
   * PhoneError PORT_IN_USE, ADDRESS_NOT_LOCAL, or NO_ROUTE where no interface leads to the group.
   */
  udp(local: Endpoint, handler: DatagramHandler): Promise<DatagramSocket>;
  /** Open a stream to `remote`. Returns at once; `handler.onOpen` follows when TLS and WebSocket, where asked for, are through. */
  connect(remote: Endpoint, handler: StreamHandler, way?: Way): StreamSocket;
  /** Accept streams; `accept` returns the handler of each. Errors as udp(); without a usable certificate TLS listens, refuses each and says so in the log. */
  listen(local: Endpoint, accept: (socket: StreamSocket) => StreamHandler, kind?: StreamKind): Promise<StreamListener>;
  /** The address of ours that packets to `remoteHost` leave from; undefined when there is no route. */
  sourceFor(remoteHost: string): Promise<string | undefined>;
  /** True when UDP to `remote` is refused (ICMP), which a socket that sends to many never hears; asks with an empty line from a port of its own. Without it silence decides. */
  refuses?(remote: Endpoint): Promise<boolean>;
}

export interface SrvRecord {
  readonly name: string;
  readonly port: number;
  readonly priority: number;
  readonly weight: number;
}

/** RFC 3403; `replacement` names the SRV record to ask for. */
export interface NaptrRecord {
  readonly order: number;
  readonly preference: number;
  readonly flags: string;
  readonly service: string;
  readonly replacement: string;
}

/**
 * DNS. Names without trailing dot, lower case. An empty list means that the name or record does not exist; a rejection that nobody
 * answered and nothing is known from before. Answers are kept for as long as their TTL says.
 */
export interface Resolver {
  addresses(name: string, family: 4 | 6): Promise<readonly string[]>;
  srv(name: string): Promise<readonly SrvRecord[]>;
  naptr(name: string): Promise<readonly NaptrRecord[]>;
  /** Ask anew next time: the network changed. Known answers still serve while nobody answers. */
  expire(): void;
}
