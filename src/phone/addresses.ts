// Parts of SIP addresses as people write them.

/** Host of a SIP address without port and brackets, lower case. */
export function hostOf(address: string): string {
  const match = /^(?:sips?:)?(?:[^@]*@)?(?:\[([^\]]*)\]|([^:;?>]*))/i.exec(address);
  return (match?.[1] ?? match?.[2] ?? '').toLowerCase();
}

export const userOf = (address: string): string => (address.includes('@') ? /^(?:<)?(?:sips?:)?([^@:;>]*)/i.exec(address)![1]! : '');
