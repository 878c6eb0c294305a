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
  close(): void;
}

export interface DatagramHandler {
  /** `bytes` belong to the receiver from now on. */
  onDatagram(bytes: Buffer, from: Endpoint): void;
  /** A send to `to` failed (ICMP refusal, no route); the socket lives on. */
  onError(error: Error, to: Endpoint | undefined): void;
}

/** A connected TCP stream. */
export interface StreamSocket {
  readonly local: Endpoint;
  readonly remote: Endpoint;
  send(bytes: Uint8Array): void;
  close(): void;
}

export interface StreamHandler {
  onOpen(): void;
  onBytes(bytes: Buffer): void;
  /** The stream is gone, once; `error` is undefined when the other side closed it. */
  onClose(error: Error | undefined): void;
}

export interface StreamListener {
  readonly local: Endpoint;
  close(): void;
}

export interface Network {
  /** Bind a UDP socket; port 0 lets the system choose. Rejects with PhoneError PORT_IN_USE or ADDRESS_NOT_LOCAL. */
  udp(local: Endpoint, handler: DatagramHandler): Promise<DatagramSocket>;
  /** Open a TCP stream to `remote` (from `localHost` when given). Returns at once; `handler.onOpen` follows. */
  connect(remote: Endpoint, handler: StreamHandler, localHost?: string): StreamSocket;
  /** Accept TCP streams; `accept` returns the handler of each. Errors as udp(). */
  listen(local: Endpoint, accept: (socket: StreamSocket) => StreamHandler): Promise<StreamListener>;
  /** The address of ours that packets to `remoteHost` leave from; undefined when there is no route. */
  sourceFor(remoteHost: string): Promise<string | undefined>;
}

export interface SrvRecord {
  readonly name: string;
  readonly port: number;
  readonly priority: number;
  readonly weight: number;
}

/** DNS. An empty list means that the name or record does not exist; a rejection that nobody answered. */
export interface Resolver {
  addresses(name: string, family: 4 | 6): Promise<readonly string[]>;
  srv(name: string): Promise<readonly SrvRecord[]>;
}
