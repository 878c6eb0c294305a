import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readDialogInfo, readMessageSummary, readRegInfo, writeDialogInfo, type DialogInfo } from '../../src/sip/packages.ts';

describe('application/simple-message-summary (RFC 3842 §5.2)', () => {
  test.each([
    ['all of it', 'Messages-Waiting: yes\r\nMessage-Account: sip:alice@vmail.example.com\r\nVoice-Message: 4/8 (1/2)\r\n', { waiting: true, fresh: 4, old: 8, account: 'sip:alice@vmail.example.com' }],
    ['the least', 'Messages-Waiting: no', { waiting: false, fresh: 0, old: 0, account: '' }],
    ['as Asterisk writes it', 'Messages-Waiting: yes\r\nVoice-Message: 1/0\r\n', { waiting: true, fresh: 1, old: 0, account: '' }],
    ['other letters, spaces and line ends', 'messages-waiting:YES\nvoice-message : 2 / 3\n', { waiting: true, fresh: 2, old: 3, account: '' }],
    ['fax alone is not voice', 'Messages-Waiting: yes\r\nFax-Message: 2/1\r\n', { waiting: true, fresh: 0, old: 0, account: '' }],
    ['counts that are none', 'Messages-Waiting: yes\r\nVoice-Message: many\r\n', { waiting: true, fresh: 0, old: 0, account: '' }],
  ])('%s', (_, body, expected) => expect(readMessageSummary(body)).toEqual(expected));

  test.each(['', 'Voice-Message: 1/0', 'Messages-Waiting: maybe', 'X-Messages-Waiting: yes'])('"%s" is none', (body) => expect(readMessageSummary(body)).toBeUndefined());
});

describe('application/dialog-info+xml (RFC 4235)', () => {
  const one: DialogInfo = { id: 'a1', direction: 'recipient', state: 'early', callId: 'c"1', localTag: 'l', remoteTag: 'r', remote: 'sip:bob@example.com', remoteName: 'Bob & <Co>', how: undefined };

  test('what is written is read again', () => {
    const xml = writeDialogInfo('sip:201@pbx', 7, [one]);
    expect(xml).toMatch(/^<\?xml version="1\.0"\?>\r\n<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="7" state="full" entity="sip:201@pbx">/);
    expect(readDialogInfo(xml)).toEqual({ entity: 'sip:201@pbx', version: 7, full: true, dialogs: [one] });
  });

  test('any text survives writing and reading', () => {
    fc.assert(fc.property(fc.string({ unit: 'grapheme' }), (name) => {
      const read = readDialogInfo(writeDialogInfo('sip:a@b', 0, [{ ...one, remoteName: `x${name}` }]));
      expect(read?.dialogs[0]?.remoteName).toBe(`x${name}`.replace(/[\0-\x1f]/g, ' '));
    }));
  });

  test('the example of RFC 4235 §6.1, with a prefix and partial', () => {
    const xml = `<?xml version="1.0" encoding="UTF-8"?><d:dialog-info xmlns:d="urn:ietf:params:xml:ns:dialog-info" version='1' state="partial" entity="sip:alice@example.com">
      <d:dialog id="as7d900as8" call-id="a84b4c76e66710" local-tag="1928301774" direction="initiator"><d:state event="remote-bye">terminated</d:state></d:dialog>
      <d:dialog id="x"><d:state>unheard-of</d:state></d:dialog></d:dialog-info>`;
    expect(readDialogInfo(xml)).toMatchObject({ version: 1, full: false, dialogs: [{ id: 'as7d900as8', callId: 'a84b4c76e66710', direction: 'initiator', state: 'terminated', how: 'remote-bye' }] });
  });

  test.each(['', 'x', '<dialog-info version="1">', '<dialog-info/>', '<dialog-info version="x"></dialog-info>'])('"%s" is none', (xml) => expect(readDialogInfo(xml)).toBeUndefined());
});

test('application/reginfo+xml tells who is registered where (RFC 3680 §5)', () => {
  const xml = `<?xml version="1.0"?><reginfo xmlns="urn:ietf:params:xml:ns:reginfo" version="3" state="full">
    <registration aor="sip:joe@example.com" id="as9" state="active">
      <contact id="76" state="active" event="registered" duration-registered="7322" q="0.8" expires="600"><uri>sip:joe@pc887.example.com;a=1&amp;b</uri></contact>
      <contact id="77" state="terminated" event="expired"><uri>sip:joe@university.edu</uri></contact>
    </registration>
    <registration aor="sip:jane@example.com" id="as10" state="init"/></reginfo>`;
  expect(readRegInfo(xml)).toEqual({ version: 3, full: true, registrations: [
    { address: 'sip:joe@example.com', state: 'active', contacts: [
      { uri: 'sip:joe@pc887.example.com;a=1&b', state: 'active', event: 'registered', expiresS: 600 }, { uri: 'sip:joe@university.edu', state: 'terminated', event: 'expired', expiresS: undefined }] },
    { address: 'sip:jane@example.com', state: 'init', contacts: [] }] });
  expect(readRegInfo('<reginfo>')).toBeUndefined();
});

test('nothing throws on what a peer wrote, and the longest body is read in a moment', () => {
  const tags = ['<dialog-info version="1">', '<dialog id="1">', '<state>', 'early', '</state>', '</dialog>', '<remote>', '<identity display="', '">', '</identity>', '&#', '&#x110000;', '&amp;', '</dialog-info>', '<reginfo version="1">', '<uri>', ' ', '<', 'Messages-Waiting: yes\r\n', 'Voice-Message: 99999/99999'];
  fc.assert(fc.property(fc.array(fc.oneof(fc.constantFrom(...tags), fc.string()), { maxLength: 60 }), (parts) => {
    const body = parts.join('');
    readMessageSummary(body);
    readDialogInfo(body);
    readRegInfo(body);
  }), { numRuns: 500 });
  const begun = process.cpuUsage().user;
  for (const tag of tags) readDialogInfo(`<dialog-info version="1">${tag.repeat(Math.floor(65_000 / tag.length))}</dialog-info>`);
  for (const tag of tags) readRegInfo(`<reginfo version="1"><registration ${tag.repeat(Math.floor(60_000 / tag.length))}</reginfo>`);
  for (const tag of [...tags, '\r\n', 'Messages-Waiting:', ' ']) readMessageSummary(tag.repeat(Math.floor(65_000 / tag.length)));
  expect((process.cpuUsage().user - begun) / 1_000).toBeLessThan(3_000); // far from what quadratic reading would take on any machine
});
