import { expect, test } from 'vitest';
import { towards } from '../../src/main/towards.ts';
import type { MediaCommand } from '../../src/media/door.ts';
import type { PhoneStatus } from '../../src/phone/status.ts';
import { restingPhone } from '../web/fake-phone.ts';
import { createLab } from '../phone/calls/lab.ts';

const open = (stream: number): MediaCommand => ({ do: 'open', stream, host: '192.168.1.20', cname: 'x' });

test('a stream is opened for the server of its account, or for the other side of a direct call', () => {
  const sent: MediaCommand[] = [];
  const registration = { account: 'home', user: '201', server: 'pbx.example', second: false, state: 'registered', trouble: '', why: '', nextS: 60 } as const;
  const call = (id: string, account: string, remote: string) => ({ id, account, remote }) as PhoneStatus['calls'][number];
  const status = { ...restingPhone, registrations: [registration], calls: [call('1', 'home', '205'), call('2', '', 'sip:bob@198.51.100.9')] };
  const media = towards({ command: (command) => { sent.push(command); }, subscribe: () => undefined, close: () => undefined }, () => ({ status: () => status }));
  for (const stream of [1, 2, 3]) media.command(open(stream));
  media.command({ do: 'close', stream: 1 });
  media.command({ ...open(4), group: { host: '239.1.1.1', port: 5_004 } } as MediaCommand);
  expect(sent.map((command) => (command.do === 'open' ? command.far : command.do))).toEqual(['pbx.example', 'sip:bob@198.51.100.9', undefined, 'close', undefined]);
});

test('a direct call is known by its address when its stream is opened, either way', async () => {
  const lab = createLab(), fars: unknown[] = [];
  const a = await lab.phone('192.0.2.1', { hardware: 'none' }), b = await lab.phone('192.0.2.2', { hardware: 'none', settings: { calls: { answer: 'auto' } } });
  for (const { phone, sent } of [a, b]) {
    const push = sent.push.bind(sent);
    sent.push = (...commands) => {
      for (const command of commands) towards({ command: (c) => { if (c.do === 'open') fars.push(c.far); }, subscribe: () => undefined, close: () => undefined }, () => phone).command(command);
      return push(...commands);
    };
  }
  a.command({ do: 'call', target: 'sip:bob@192.0.2.2' });
  await lab.run(1_000);
  expect(fars).toEqual(['sip:bob@192.0.2.2', expect.stringMatching(/^sip:.*@192\.0\.2\.1/)]);
});
