// The drawn telephone: lifted by click or Space, dialled by mouse, touch and keyboard, with a lamp and a bell that shows.

import { useEffect, useRef, useState } from 'preact/hooks';
import type { Key } from '../../ports/hardware.ts';
import type { BenchState } from '../types.ts';
import { bench as work } from './api.ts';
import { cord } from './cord.ts';

const KEYS: readonly (readonly [Key, string])[] = [
  ['1', ''], ['2', 'ABC'], ['3', 'DEF'], ['4', 'GHI'], ['5', 'JKL'], ['6', 'MNO'], ['7', 'PQRS'], ['8', 'TUV'], ['9', 'WXYZ'], ['*', ''], ['0', '+'], ['#', ''],
];
const CORD = {
  resting: cord([70, 384], [-34, 416], [2, 210], [72, 118], 22, 9),
  lifted: cord([70, 384], [-34, 416], [10, 190], [78, 86], 22, 8),
} as const;
const NAMES: Readonly<Record<string, string>> = { '*': 'star', '#': 'pound' };
const isKey = (text: string): text is Key => text.length === 1 && '0123456789*#'.includes(text);

interface Props {
  readonly bench: BenchState;
  readonly label: string;
  readonly dialled: string;
  readonly onTrouble: (why: string) => void;
}

/** A click on the telephone leaves no button focused, so that Space goes on lifting and hanging up; the Tab key still reaches every one. */
function keepKeyboard(event: MouseEvent): void {
  event.preventDefault();
  if (document.activeElement instanceof HTMLElement) document.activeElement.blur();
}

export function Telephone({ bench, label, dialled, onTrouble }: Props) {
  const [down, setDown] = useState<Key | undefined>();
  const latest = useRef(bench);
  latest.current = bench;

  const does = (action: Parameters<typeof work>[0]) => { work(action).catch((error: Error) => onTrouble(error.message)); };
  const hook = () => does({ do: latest.current.offHook ? 'hang up' : 'lift' });
  const press = (key: Key) => {
    setDown(key);
    does({ do: 'key', key });
  };

  useEffect(() => {
    const onDown = (event: KeyboardEvent) => {
      const target = event.target as HTMLElement;
      if (event.ctrlKey || event.metaKey || event.altKey || target.closest('input, select, textarea, dialog') !== null) return;
      if (isKey(event.key)) {
        if (!event.repeat) press(event.key);
      } else if (event.key === ' ' && target.closest('button, a, summary') === null) {
        if (!event.repeat) hook();
      } else if (event.key === 'Escape' && latest.current.offHook) does({ do: 'hang up' });
      else if (event.key === 'f' && latest.current.offHook) does({ do: 'flash' });
      else return;
      event.preventDefault();
    };
    const onUp = () => setDown(undefined);
    window.addEventListener('keydown', onDown);
    window.addEventListener('keyup', onUp);
    window.addEventListener('pointerup', onUp);
    return () => {
      window.removeEventListener('keydown', onDown);
      window.removeEventListener('keyup', onUp);
      window.removeEventListener('pointerup', onUp);
    };
  }, []);

  const { offHook, ringing, bell, lamp } = bench;
  return (
    <figure class={`telephone ${offHook ? 'off-hook' : 'on-hook'} ${ringing ? 'ringing' : ''} ${bell ? 'sounding' : ''}`} aria-label="The telephone"
      onMouseDown={keepKeyboard}>
      <div class="desk">
        <svg class="body" viewBox="0 -44 400 470" aria-hidden="true">
          <defs>
            <linearGradient id="shell" x1="0" y1="0" x2="0" y2="1"><stop offset="0" class="shell-top" /><stop offset="1" class="shell-low" /></linearGradient>
            <linearGradient id="plate" x1="0" y1="0" x2="0" y2="1"><stop offset="0" class="plate-top" /><stop offset="1" class="plate-low" /></linearGradient>
            <radialGradient id="glow"><stop offset="0" class="glow-in" /><stop offset="1" class="glow-out" /></radialGradient>
          </defs>
          <ellipse cx="200" cy="408" rx="184" ry="15" class="shadow" />
          <path class="cord" d={offHook ? CORD.lifted : CORD.resting} />
          <path class="shell" fill="url(#shell)" d="M112 122 C96 122 88 132 84 148 L44 366 C40 392 52 404 78 404 L322 404 C348 404 360 392 356 366 L316 148 C312 132 304 122 288 122 Z" />
          <path class="shine" d="M112 126 C98 126 92 134 89 148 L86 166 C150 150 250 150 314 166 L311 148 C308 134 302 126 288 126 Z" />
          <g class="plunger"><rect x="150" y="109" width="18" height="22" rx="5" /><rect x="232" y="109" width="18" height="22" rx="5" /></g>
          <path class="cradle" d="M102 134 L102 102 Q102 94 110 94 L118 94 Q124 94 124 100 L124 111 Q124 117 130 117 L270 117 Q276 117 276 111 L276 100 Q276 94 282 94 L290 94 Q298 94 298 102 L298 134 Z" />
          <path class="plate" fill="url(#plate)" d="M122 170 H278 Q290 170 292 182 L302 366 Q303 382 288 382 H112 Q97 382 98 366 L108 182 Q110 170 122 170 Z" />
          <g class="lamp-place"><circle cx="310" cy="202" r="26" class={lamp ? 'halo lit' : 'halo'} fill="url(#glow)" /><circle cx="310" cy="202" r="6.5" class={lamp ? 'lamp lit' : 'lamp'} /></g>
          <g class="waves"><path d="M30 118 Q16 92 30 66" /><path d="M16 126 Q-4 92 16 58" /><path d="M370 118 Q384 92 370 66" /><path d="M384 126 Q404 92 384 58" /></g>
        </svg>

        <button type="button" class="handset" aria-pressed={offHook} onClick={hook} title={offHook ? 'Hang up (Space)' : 'Lift the handset (Space)'}
          aria-label={offHook ? 'Handset, lifted. Hang up' : ringing ? 'Handset, ringing. Lift to answer' : 'Handset, on hook. Lift'}>
          <svg viewBox="0 0 340 100" aria-hidden="true">
            <defs><linearGradient id="grip" x1="0" y1="0" x2="0" y2="1"><stop offset="0" class="grip-top" /><stop offset="0.6" class="grip-low" /></linearGradient></defs>
            <path class="grip" fill="url(#grip)" d="M12 58 C10 24 50 10 100 8 C146 5 194 5 240 8 C290 10 330 24 328 58 C328 78 326 90 312 91 L258 92 C246 92 242 84 240 74 C237 60 226 54 208 53 C184 51 156 51 132 53 C114 54 103 60 100 74 C98 84 94 92 82 92 L28 91 C14 90 12 78 12 58 Z" />
            <path class="grip-shine" d="M30 36 C50 20 90 16 120 15 C150 13 190 13 220 15 C250 16 290 20 310 36 C280 25 240 22 170 22 C100 22 60 25 30 36 Z" />
            <path class="grip-edge" d="M20 82 H92 M248 82 H320" />
          </svg>
        </button>

        <div class="keypad" role="group" aria-label="Keypad">
          {KEYS.map(([key, letters]) => (
            <button key={key} type="button" class={`key ${down === key || bench.key === key ? 'down' : ''}`} aria-label={`Key ${NAMES[key] ?? key}`}
              onPointerDown={(event) => { if (event.button === 0) press(key); }}
              onClick={(event) => { if (event.detail === 0) press(key); }}>
              <span class="digit">{key === '*' ? '✱' : key}</span><span class="letters">{letters || '\u00a0'}</span>
            </button>
          ))}
        </div>
        <div class="card" aria-hidden="true">{dialled || label}</div>
      </div>
      <figcaption>
        <button type="button" class="quiet" onClick={hook}>{offHook ? 'Hang up' : ringing ? 'Answer' : 'Lift handset'} <kbd>Space</kbd></button>
        <button type="button" class="quiet" disabled={!offHook} onClick={() => does({ do: 'flash' })}>Flash <kbd>F</kbd></button>
        <button type="button" class="quiet" aria-pressed={bench.privacy} title="While this is on, nobody is answered by itself" onClick={() => does({ do: 'privacy', on: !bench.privacy })}>Privacy {bench.privacy ? 'on' : 'off'}</button>
        <span class="keys-hint">Keys <kbd>0</kbd>–<kbd>9</kbd> <kbd>*</kbd> <kbd>#</kbd></span>
      </figcaption>
    </figure>
  );
}
