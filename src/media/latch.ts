// Symmetric RTP (RFC 4961) with a guard: where a stream's packets may come from, and so where ours go.
//
//   negotiated address --- always taken, and from its first packet on nobody else is
//   somebody else ------- only while the negotiated one was never heard, and only after RUN packets in a row that belong
//                         together (address, SSRC, payload type, rising sequence); then latched, and the next stranger is refused
//   the right host, ----- also after a wrong host has latched: who was quicker by chance or by malice does not keep the call
//   another port
//
// One packet of a stranger moves nothing. A new negotiation starts over. Of an encrypted stream only genuine packets come here.

import type { Endpoint } from '../ports/net.ts';

/** Packets in a row from a stranger: fewer when only the port differs (a NAT that maps ports), more when the host does. */
const RUN_SAME_HOST = 3;
const RUN_OTHER_HOST = 6;
const NOWHERE: Endpoint = { host: '', port: 0 };

const same = (a: Endpoint, b: Endpoint): boolean => a.port === b.port && a.host === b.host;

export class Latch {
  #negotiated = NOWHERE;
  #current = NOWHERE;
  #settled = false;
  #suitor = NOWHERE;
  #ssrc = 0;
  #payloadType = 0;
  #sequence = 0;
  #run = 0;

  /** Where to send, and whom we hear. */
  get to(): Endpoint {
    return this.#current;
  }

  /** A new negotiation. Naming the same address again keeps sending to where it was, but lets another prove itself. */
  negotiate(remote: Endpoint): void {
    if (!same(remote, this.#negotiated)) this.#negotiated = this.#current = remote;
    this.#settled = false;
    this.#run = 0;
  }

  /** Whether a valid RTP packet of a payload type we take may be heard. */
  accept(from: Endpoint, ssrc: number, payloadType: number, sequence: number): boolean {
    if (same(from, this.#current)) {
      this.#settled = true;
      return true;
    }
    if (same(from, this.#negotiated)) { // signalled beats guessed
      this.#current = this.#negotiated;
      this.#settled = true;
      return true;
    }
    const { host } = this.#negotiated;
    if (this.#settled && (from.host !== host || this.#current.host === host)) return false;
    const step = (sequence - this.#sequence) & 0xffff;
    if (same(from, this.#suitor) && ssrc === this.#ssrc && payloadType === this.#payloadType && step > 0 && step < 16) {
      this.#run++;
    } else if (this.#run > 0 && this.#suitor.host === host && from.host !== host) {
      return false; // another port of the right host goes before a wrong host
    } else {
      this.#suitor = { host: from.host, port: from.port };
      this.#ssrc = ssrc;
      this.#payloadType = payloadType;
      this.#run = 1;
    }
    this.#sequence = sequence;
    if (this.#run < (from.host === host ? RUN_SAME_HOST : RUN_OTHER_HOST)) return false;
    this.#current = this.#suitor;
    return this.#settled = true;
  }
}
