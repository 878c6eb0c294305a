// The budgeted core as one door: what stays under 1 MB of JavaScript heap together (npm run budget measures the bundle of this
// file, which the phone itself runs).

export { createEngine } from '../media/engine.ts';
export { dtmfProgram } from '../media/dtmf.ts';
export { createG711 } from '../media/g711.ts';
export { holdTone, intercomBeep, nationalOf, ringTone, statusTones } from '../media/tone-tables.ts';
export { createAgent } from '../sip/agent.ts';
export { texts } from '../sip/message.ts';
export { createPhone, mediaSettings } from '../phone/phone.ts';
export { createBuiltIn } from '../phone/builtin.ts';
