// What a telephone needs only where it is set or asked for, in a file of its own beside the core: requests outside calls, subscriptions,
// distinctive rings.

export { reportOf } from '../media/probe.ts';
export { createPaging } from '../phone/paging.ts';
export { request } from '../sip/outside.ts';
export { Subscriptions } from '../sip/subscriptions.ts';
export { ringOf } from '../phone/ringing.ts';
