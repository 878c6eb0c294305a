// What a telephone with a handset needs from its start, and any other with the first number or address that it calls: loaded at once when asked for.

export { compilePlan, emergencyNumbers } from '../phone/dialplan.ts';
export { createFurther } from '../phone/further-commands.ts';
export { createHandset } from '../phone/handset.ts';
export { CODES, destinations, plan } from '../phone/outgoing.ts';
