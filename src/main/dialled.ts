// What a telephone with a handset needs from its start, and any other with the first number or address that it calls: loaded at once when asked for.

export { createDialling } from '../phone/dialling.ts';
export { createFurther } from '../phone/further-commands.ts';
export { createHandset } from '../phone/handset.ts';
export { destinations, plan } from '../phone/outgoing.ts';
