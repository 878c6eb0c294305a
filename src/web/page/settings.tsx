// The settings, all of them made from the schema. Saved together; a refusal is shown at its field.

import { useEffect, useMemo, useState } from 'preact/hooks';
import type { Problem, SettingsSaved, SettingsView, SoundDevice } from '../types.ts';
import { SoundTest } from './sound-test.tsx';
import { ask, Refused } from './api.ts';
import { changesOf, draftOf, nodeAt, put, type Node, type Tree } from './draft.ts';
import { Entries, Field, type Form } from './fields.tsx';
import { applyWords } from './words.ts';

/** In the order in which people need them. */
const SECTIONS = ['accounts', 'phone', 'dialing', 'calls', 'recording', 'intercom', 'paging', 'exchange', 'sound', 'media', 'sip', 'hardware', 'web', 'log'] as const;
const LEAD: Readonly<Record<string, string>> = {
  accounts: 'Where this phone registers, so that it can be called.', phone: 'Its name, and which country’s tones it has.', dialing: 'What happens to the digits.', calls: 'Ringing, waiting, answering.',
  recording: 'The sound of calls in files, for those who log in here. Both sides always hear that they are recorded.',
  intercom: 'Calls that are answered by themselves. Off unless you say so; always with a beep.', paging: 'Announcements to many phones at once, by multicast in this network. To speak to a group, dial page:239.1.1.1:5004, best as a speed dial.', exchange: 'An exchange for the phones of the house, in place of a PBX. Each of them is a user here and registers at this machine.', sound: 'Microphones, loudspeakers and their volume.', media: 'Codecs, ports and buffers.',
  sip: 'How the phone is reached, and by whom.', hardware: 'Hook, keys and pins.', web: 'This page.', log: 'What the phone writes down.',
};

interface Props {
  /** Revision of the settings in force, as the live state has it. */
  readonly revision: number | undefined;
  readonly onTrouble: (why: string) => void;
}

export function Settings({ revision, onTrouble }: Props) {
  const [view, setView] = useState<SettingsView>();
  const [draft, setDraft] = useState<Tree>({});
  const [problems, setProblems] = useState<readonly Problem[]>([]);
  const [devices, setDevices] = useState<readonly SoundDevice[]>([]);
  const [notice, setNotice] = useState<{ text: string; restart: boolean }>();
  const [busy, setBusy] = useState(false);
  const [form, setForm] = useState(0); // a new form each time the values come from the phone

  const take = (next: SettingsView) => {
    setView(next);
    setDraft(draftOf(next));
    setProblems([]);
    setForm((n) => n + 1);
  };
  const load = () => ask<SettingsView>('GET', '/api/settings').then(take, (error: Error) => onTrouble(error.message));
  useEffect(() => {
    void load();
    ask<{ devices: SoundDevice[] }>('GET', '/api/devices').then((answer) => setDevices(answer.devices), () => undefined);
  }, []);

  const root = view?.schema as Node | undefined;
  const dirty = useMemo(() => (view === undefined || root === undefined ? { changes: {}, keys: [] } : changesOf(root, draftOf(view), draft)), [view, draft]);
  useEffect(() => {
    if (dirty.keys.length === 0) return undefined;
    const warn = (event: BeforeUnloadEvent) => event.preventDefault();
    window.addEventListener('beforeunload', warn);
    return () => window.removeEventListener('beforeunload', warn);
  }, [dirty.keys.length]);
  const stale = view !== undefined && revision !== undefined && revision > view.revision;
  useEffect(() => { if (stale && dirty.keys.length === 0) void load(); }, [stale, dirty.keys.length]);
  if (view === undefined || root === undefined) return <p class="empty">Loading …</p>;

  async function save(event: Event) {
    event.preventDefault();
    setBusy(true);
    try {
      const saved = await ask<SettingsSaved>('PUT', '/api/settings', { revision: view!.revision, changes: dirty.changes });
      take(saved);
      const kinds = saved.changed.flatMap((key) => appliesOf(nodeAt(root!, key)));
      setNotice({ text: `Saved. ${applyWords(kinds)}`, restart: saved.canRestart && kinds.includes('on restart') });
    } catch (error) {
      if (error instanceof Refused && error.problems.length > 0) {
        setProblems(error.problems);
        setNotice(undefined);
        requestAnimationFrame(() => {
          const first = document.querySelector<HTMLElement>('.settings [aria-invalid="true"]');
          first?.closest('details')?.setAttribute('open', '');
          first?.focus();
        });
      } else onTrouble(error instanceof Error ? error.message : String(error));
    }
    setBusy(false);
  }

  const fields: Form = {
    draft, problems, devices, fixed: view.fixed,
    set: (key, value) => {
      setDraft((before) => put(before, key, value));
      // A fault is gone from sight when its field is touched; of a changed list all of its, as places may have moved.
      setProblems((before) => before.filter((p) => p.key !== key && !p.key.startsWith(`${key}.`)));
    },
  };
  const wrongIn = (section: string) => problems.some((p) => p.key === section || p.key.startsWith(`${section}.`));

  return (
    <form class="settings" onSubmit={save} noValidate autocomplete="off">
      <nav class="sections" aria-label="Settings">{SECTIONS.map((s) => <a key={s} href={`#settings/${s}`} class={wrongIn(s) ? 'wrong' : ''} onClick={() => document.getElementById(`section-${s}`)?.scrollIntoView({ block: 'start' })}>{titleOf(root, s)}</a>)}<a href="#settings/password" onClick={() => document.getElementById('section-password')?.scrollIntoView({ block: 'start' })}>Password</a></nav>
      <div class="stack" key={form}>
        {SECTIONS.map((section) => <Section key={section} name={section} root={root} form={fields} />)}
        <ChangePassword onDone={(text) => setNotice({ text, restart: false })} />
      </div>
      <div class={`savebar ${dirty.keys.length > 0 || problems.length > 0 || notice !== undefined ? 'up' : ''}`} role="status">
        {problems.length > 0 ? <span class="problem">{problems.length === 1 ? 'One setting' : `${problems.length} settings`} cannot be used; nothing was saved.{' '}
            {problems.filter((p) => nodeAt(root, p.key.split('.')[0]!) === undefined).map((p) => `${p.key}: ${p.reason}`).join('; ')}</span>
          : dirty.keys.length > 0 ? <span>{dirty.keys.length === 1 ? 'One change' : `${dirty.keys.length} changes`}, not saved{stale ? '; the settings were changed elsewhere meanwhile' : ''}</span>
            : <span>{notice?.text}</span>}
        <span class="acts">
          {dirty.keys.length > 0 && <button type="button" onClick={() => void load()}>Undo</button>}
          {dirty.keys.length > 0 && <button type="submit" class="main" disabled={busy}>{busy ? 'Saving …' : 'Save'}</button>}
          {dirty.keys.length === 0 && notice?.restart === true && <button type="button" class="main" onClick={() => { ask('POST', '/api/restart').then(() => setNotice({ text: 'The phone restarts. Log in again in a moment.', restart: false }), (error: Error) => onTrouble(error.message)); }}>Restart the phone</button>}
          {dirty.keys.length === 0 && notice !== undefined && <button type="button" class="quiet" onClick={() => setNotice(undefined)}>Fine</button>}
        </span>
      </div>
    </form>
  );
}

const titleOf = (root: Node, section: string) => root.properties?.[section]?.title ?? section;

/** When a change of this setting works; of a list, whatever its entries say. */
const appliesOf = (node: Node | undefined): string[] => (node?.applies !== undefined ? [node.applies] : [...new Set(Object.values(node?.items?.properties ?? {}).flatMap(appliesOf))]);

function Section({ name, root, form }: { readonly name: string; readonly root: Node; readonly form: Form }) {
  const node = root.properties![name]!;
  return (
    <section class="panel" id={`section-${name}`}>
      <h2>{node.title}</h2>
      <p class="lead">{LEAD[name]}</p>
      {node.items !== undefined ? <Entries form={form} name={name} node={node} what="account" basic={['user', 'server', 'password']} />
        : <Group name={name} node={node} form={form} />}
      {name === 'sound' && <SoundTest />}
    </section>
  );
}

function Group({ name, node, form }: { readonly name: string; readonly node: Node; readonly form: Form }) {
  const all = Object.entries(node.properties ?? {});
  const single = all.filter(([, inner]) => inner.properties === undefined && inner.items?.properties === undefined);
  return (
    <>
      {all.filter(([, inner]) => inner.properties !== undefined).map(([n, inner]) => <fieldset class="entry" key={n}><legend>{inner.title}</legend><Group name={`${name}.${n}`} node={inner} form={form} /></fieldset>)}
      <div class="fields">{single.map(([n, inner]) => <Field key={n} form={form} name={`${name}.${n}`} node={inner} />)}</div>
      {all.filter(([, inner]) => inner.items?.properties !== undefined).map(([n, inner]) => <div key={n}><h3>{inner.title}</h3><Entries form={form} name={`${name}.${n}`} node={inner} what={(inner.items!.title ?? n).toLowerCase().replace('allowed ', '')} basic={Object.keys(inner.items!.properties!).slice(0, 3)} /></div>)}
    </>
  );
}

function ChangePassword({ onDone }: { readonly onDone: (text: string) => void }) {
  const [old, setOld] = useState('');
  const [fresh, setFresh] = useState('');
  const [trouble, setTrouble] = useState<Readonly<Record<string, string>>>({});
  const change = async () => {
    setTrouble({});
    try {
      await ask('POST', '/api/password', { old, password: fresh });
      setOld('');
      setFresh('');
      onDone('The password is changed. Other browsers have to log in again.');
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      setTrouble(error.problems.length > 0 ? Object.fromEntries(error.problems.map((p) => [p.key, p.reason])) : { old: error.message });
    }
  };
  const onEnter = (event: KeyboardEvent) => {
    if (event.key !== 'Enter') return;
    event.preventDefault();
    void change();
  };
  const field = (key: string, title: string, value: string, set: (v: string) => void, auto: 'current-password' | 'new-password') => (
    <div class={`field ${trouble[key] === undefined ? '' : 'wrong'}`}>
      <label class="title" for={`pw-${key}`}>{title}</label>
      <input id={`pw-${key}`} type="password" autocomplete={auto} value={value} maxLength={512} aria-describedby={`pw-${key}-t`} onInput={(e) => set(e.currentTarget.value)} onKeyDown={onEnter} />
      <p class="problem" id={`pw-${key}-t`} role="alert">{trouble[key]}</p>
    </div>
  );
  return (
    <section class="panel" id="section-password">
      <h2>Password of this page</h2>
      <div class="fields">{field('old', 'Old password', old, setOld, 'current-password')}{field('password', 'New password', fresh, setFresh, 'new-password')}</div>
      <button type="button" disabled={old === '' || fresh === ''} onClick={() => void change()}>Change password</button>
    </section>
  );
}
