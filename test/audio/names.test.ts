import { describe, expect, test } from 'vitest';
import { byIdentity, duplexCards, meaning } from '../../src/audio/names.ts';

describe('names of sound devices', () => {
  test.each([
    ['auto', { driver: 'auto' }],
    ['silence', { driver: 'silence' }],
    ['clock', { driver: 'silence' }],
    ['echo', { driver: 'echo' }],
    ['tone', { driver: 'tone', hz: 440 }],
    ['tone:1004', { driver: 'tone', hz: 1_004 }],
    ['alsa:default', { driver: 'alsa', capture: 'default', playback: 'default' }],
    ['alsa:plughw:CARD=USB,DEV=0', { driver: 'alsa', capture: 'plughw:CARD=USB,DEV=0', playback: 'plughw:CARD=USB,DEV=0' }],
    ['alsa:mic|ear', { driver: 'alsa', capture: 'mic', playback: 'ear' }],
    ['alsa:|ear', { driver: 'alsa', capture: '', playback: 'ear' }],
    ['alsa:mic|', { driver: 'alsa', capture: 'mic', playback: '' }],
    ['arecord:hw:1', { driver: 'arecord', capture: 'hw:1', playback: 'hw:1' }],
    ['wav:in.wav,out.wav', { driver: 'wav', inPath: 'in.wav', outPath: 'out.wav' }],
    ['wav:in.wav', { driver: 'wav', inPath: 'in.wav', outPath: '' }],
    ['wav:,/tmp/out.wav', { driver: 'wav', inPath: '', outPath: '/tmp/out.wav' }],
  ])('%s', (name, expected) => {
    expect(meaning(name)).toEqual(expected);
  });

  test.each(['', 'jack', 'tone:', 'tone:x', 'tone:5', 'alsa:', 'alsa:|', 'alsa:a|b|c', 'wav:', 'wav:,', 'wav:a,b,c', 'echo:1', 'auto:x', 'silence:1'])('"%s" is nobody\'s', (name) => {
    expect(meaning(name)).toBeUndefined();
  });

  test('a card named by number is known by its id from then on', () => {
    const idOf = (card: number) => (card === 1 ? 'USB' : '');
    expect(byIdentity('hw:1', idOf)).toBe('hw:CARD=USB');
    expect(byIdentity('plughw:1,2', idOf)).toBe('plughw:CARD=USB,DEV=2');
    expect(byIdentity('default:1', idOf)).toBe('default:CARD=USB');
    expect(byIdentity('hw:2', idOf)).toBe('hw:2');
    expect(byIdentity('plughw:CARD=USB,DEV=0', idOf)).toBe('plughw:CARD=USB,DEV=0');
    expect(byIdentity('default', idOf)).toBe('default');
  });

  test('cards that capture and play are found in the kernel\'s tables', () => {
    const cards = ' 0 [Headphones     ]: bcm2835_headpho - bcm2835 Headphones\n                      bcm2835 Headphones\n 2 [Device         ]: USB-Audio - USB PnP Sound Device\n';
    const pcm = '00-00: bcm2835 Headphones : bcm2835 Headphones : playback 8\n02-00: USB Audio : USB Audio : playback 1 : capture 1\n';
    expect(duplexCards(pcm, cards)).toEqual(['CARD=Device,DEV=0']);
    expect(duplexCards('', '--- no soundcards ---\n')).toEqual([]);
  });
});
