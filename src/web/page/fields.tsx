// One field for each kind of setting, made from its schema entry: title, what it does, unit, and what is wrong with it.

import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import type { Problem, SoundDevice } from '../types.ts';
import { at, freshEntry, troubleAt, type Node, type Tree } from './draft.ts';

export interface Form {
  readonly draft: Tree;
  readonly problems: readonly Problem[];
  readonly fixed: Readonly<Record<string, string>>;
  readonly devices: readonly SoundDevice[];
  readonly set: (key: string, value: unknown) => void;
}

interface FieldProps {
  readonly form: Form;
  readonly name: string;
  readonly node: Node;
}

const idOf = (name: string) => `set-${name.replace(/[^\w]/g, '-')}`;

export function Field({ form, name, node }: FieldProps) {
  const value = at(form.draft, name);
  const trouble = troubleAt(form.problems, name, node);
  const fixed = form.fixed[name];
  const id = idOf(name);
  const common = { id, disabled: fixed !== undefined, 'aria-invalid': trouble !== '', 'aria-describedby': `${id}-help ${id}-trouble` };
  const set = (next: unknown) => form.set(name, next);

  let input: ComponentChildren;
  let titled = true;
  if (node.type === 'boolean') {
    titled = false;
    input = <label class="switch"><input type="checkbox" role="switch" {...common} checked={value === true} onChange={(e) => set(e.currentTarget.checked)} /><span class="knob" aria-hidden="true" /><span class="title">{node.title}{tag(node)}</span></label>;
  } else if (node.enum !== undefined) {
    input = <span class="with-unit"><select {...common} value={String(value)} onChange={(e) => set(e.currentTarget.value)}>{node.enum.map((v) => <option key={v} value={v}>{v}</option>)}</select>{node.unit !== undefined && <span class="unit">{node.unit}</span>}</span>;
  } else if (node.secret === true) {
    input = <Secret {...common} value={value} onValue={set} />;
  } else if (node.type === 'integer' || node.type === 'number') {
    input = <span class="with-unit"><input type="number" {...common} min={node.minimum} max={node.maximum} step={node.type === 'integer' ? 1 : 'any'} value={value as number}
      onInput={(e) => set(e.currentTarget.value === '' ? '' : Number(e.currentTarget.value))} />{node.unit !== undefined && <span class="unit">{node.unit}</span>}</span>;
  } else if (node.items?.enum !== undefined) {
    input = <Ordered options={node.items.enum} value={value as string[]} onValue={set} name={node.title ?? name} disabled={common.disabled} />;
  } else if (node.type === 'array') {
    input = <Lines {...common} value={value as string[]} onValue={set} />;
  } else if (node.patternProperties !== undefined) {
    input = <Pairs node={node} value={value as Tree} onValue={set} disabled={common.disabled} />;
  } else {
    input = <><input type="text" {...common} maxLength={node.maxLength} value={value as string} spellcheck={false} autocapitalize="off" autocomplete="off"
      {...(node.kind === 'device' ? { list: `${id}-devices` } : {})} onInput={(e) => set(e.currentTarget.value)} />
      {node.kind === 'device' && <datalist id={`${id}-devices`}>{form.devices.map((d) => <option key={d.name} value={d.name}>{d.description}</option>)}</datalist>}</>;
  }
  return (
    <div class={`field ${trouble !== '' ? 'wrong' : ''} ${node.patternProperties !== undefined ? 'across' : ''}`}>
      {titled && <label class="title" for={id}>{node.title}{tag(node)}</label>}
      {input}
      <p class="help" id={`${id}-help`}>{node.description}{node.secret === true && typeof value === 'object' && value !== null && ' Empty keeps what is set.'}{fixed !== undefined && <strong> Fixed {fixed === 'environment' ? 'in the environment' : 'on the command line'}.</strong>}</p>
      <p class="problem" id={`${id}-trouble`}>{trouble}</p>
    </div>
  );
}

const tag = (node: Node) => (node.applies === 'on restart' ? <span class="tag" title="A change works after the phone was restarted">restart</span> : null);

type Common = { readonly id: string; readonly disabled: boolean };

function Secret({ value, onValue, ...common }: Common & { readonly value: unknown; readonly onValue: (value: unknown) => void }) {
  const [kept] = useState(() => (typeof value === 'object' && value !== null ? value : undefined));
  const isSet = typeof value === 'object' && value !== null;
  return (
    <span class="with-unit">
      <input type="password" {...common} autocomplete="new-password" value={typeof value === 'string' ? value : ''} maxLength={255}
        placeholder={isSet ? '••••••••  set' : value === null ? 'will be removed' : ''} onInput={(e) => onValue(e.currentTarget.value === '' && kept !== undefined ? kept : e.currentTarget.value)} />
      {isSet && <button type="button" class="quiet" disabled={common.disabled} onClick={() => onValue(null)}>Remove</button>}
    </span>
  );
}

function Lines({ value, onValue, ...common }: Common & { readonly value: readonly string[]; readonly onValue: (value: string[]) => void }) {
  const [text, setText] = useState(value.join('\n'));
  const read = (t: string) => t.split('\n').map((line) => line.trim()).filter(Boolean);
  const shown = read(text).join('\n') === value.join('\n') ? text : value.join('\n'); // undone elsewhere
  return <textarea {...common} rows={Math.max(2, Math.min(8, shown.split('\n').length + 1))} spellcheck={false} placeholder="one a line" value={shown}
    onInput={(e) => { setText(e.currentTarget.value); onValue(read(e.currentTarget.value)); }} />;
}

function Ordered({ options, value, onValue, name, disabled }: { readonly options: readonly string[]; readonly value: readonly string[]; readonly onValue: (value: string[]) => void; readonly name: string; readonly disabled: boolean }) {
  const all = [...value, ...options.filter((o) => !value.includes(o))];
  const raise = (item: string) => {
    const i = value.indexOf(item);
    onValue(value.map((v, j) => (j === i - 1 ? item : j === i ? value[i - 1]! : v)));
  };
  return (
    <ul class="ordered" aria-label={name}>{all.map((item) => (
      <li key={item}>
        <label class="tick"><input type="checkbox" disabled={disabled} checked={value.includes(item)} onChange={(e) => onValue(e.currentTarget.checked ? [...value, item] : value.filter((v) => v !== item))} /> {item}</label>
        {value.indexOf(item) > 0 && <button type="button" class="quiet" disabled={disabled} aria-label={`Prefer ${item} more`} title="Prefer more" onClick={() => raise(item)}>↑</button>}
      </li>))}
    </ul>
  );
}

/** A table such as the speed dial. Rows live here, so that a half-typed name does not swallow another row. */
function Pairs({ node, value, onValue, disabled }: { readonly node: Node; readonly value: Tree; readonly onValue: (value: Tree) => void; readonly disabled: boolean }) {
  const numbers = Object.values(node.patternProperties ?? {})[0]?.anyOf !== undefined;
  const text = (v: unknown) => (Array.isArray(v) ? v.join(', ') : String(v));
  const parse = (v: string): unknown => {
    const parts = v.split(',').map((p) => (/^\s*\d+\s*$/.test(p) ? Number(p) : p.trim()));
    return !numbers ? v : parts.length === 1 ? parts[0] : parts;
  };
  const rowsOf = (tree: Tree) => Object.entries(tree).map(([k, v]) => [k, text(v)] as const);
  const treeOf = (rows: readonly (readonly [string, string])[]) => Object.fromEntries(rows.filter(([k, v]) => k !== '' || v !== '').map(([k, v]) => [k, parse(v)]));
  const [rows, setRows] = useState(rowsOf(value));
  const shown = JSON.stringify(treeOf(rows)) === JSON.stringify(value) ? rows : rowsOf(value);
  const change = (next: readonly (readonly [string, string])[]) => { setRows([...next]); onValue(treeOf(next)); };
  return (
    <div class="pairs">
      {shown.map(([k, v], i) => (
        <div class="pair" key={i}>
          <input type="text" aria-label={numbers ? 'Part' : 'Digits'} placeholder={numbers ? 'hook' : '1'} disabled={disabled} value={k} onInput={(e) => change(shown.map((r, j) => (j === i ? [e.currentTarget.value, v] : r)))} />
          <input type="text" aria-label={numbers ? 'Pins' : 'Calls'} placeholder={numbers ? '17' : '201 or sip:door@192.168.1.9'} disabled={disabled} value={v} onInput={(e) => change(shown.map((r, j) => (j === i ? [k, e.currentTarget.value] : r)))} />
          <button type="button" class="quiet" disabled={disabled} aria-label={`Remove ${k || 'this row'}`} onClick={() => change(shown.filter((_, j) => j !== i))}>✕</button>
        </div>))}
      <button type="button" class="add" disabled={disabled} onClick={() => change([...shown, ['', '']])}>+ Add</button>
    </div>
  );
}

/** Entries with several fields: accounts, allowed callers. The first ones are shown, the rest on demand. */
export function Entries({ form, name, node, basic, what }: FieldProps & { readonly basic: readonly string[]; readonly what: string }) {
  const list = at(form.draft, name) as Tree[];
  const item = node.items!;
  const fields = Object.entries(item.properties ?? {});
  const fixed = Object.keys(form.fixed).some((key) => key.startsWith(name));
  const label = (entry: Tree, i: number) => String(entry['id'] || entry['user'] || entry['caller'] || entry['number'] || `${what} ${i + 1}`);
  const trouble = troubleAt(form.problems, name, node);
  return (
    <div class="entries">
      {list.length === 0 && <p class="empty">None yet.</p>}
      {list.map((entry, i) => {
        const rest = fields.filter(([n]) => !basic.includes(n));
        const wrongInside = rest.some(([n]) => form.problems.some((p) => p.key === `${name}.${i}.${n}`));
        return (
          <fieldset class="entry" key={`${i}/${list.length}`}>
            <legend>{label(entry, i)}</legend>
            <div class="fields">{basic.map((n) => <Field key={n} form={form} name={`${name}.${i}.${n}`} node={item.properties![n]!} />)}</div>
            {rest.length > 0 && <details open={wrongInside}><summary>More about this {what}</summary><div class="fields">{rest.map(([n, inner]) => <Field key={n} form={form} name={`${name}.${i}.${n}`} node={inner} />)}</div></details>}
            <button type="button" class="quiet remove" disabled={fixed} onClick={() => form.set(name, list.filter((_, j) => j !== i))}>Remove this {what}</button>
          </fieldset>
        );
      })}
      <button type="button" class="add" disabled={fixed || list.length >= (node.maxItems ?? Infinity)} onClick={() => form.set(name, [...list, freshEntry(item)])}>+ Add {what}</button>
      {fixed && <p class="help"><strong>Fixed from outside the settings file.</strong></p>}
      <p class="problem">{trouble}</p>
    </div>
  );
}


