import { statusOf, type Application as Record_, type EvergrantError, type Status } from '@evergrant/js';
import { useCallback, useEffect, useId, useRef, useState, type CSSProperties, type ReactNode } from 'react';
import { Application } from './application.js';
import { Chip } from './parts.js';
import { Root, useEvergrant } from './provider.js';
import { explain } from './texts.js';

export interface ApplicationsProps {
  style?: CSSProperties;
  /** Called instead of showing the application here. */
  onSelect?: (slug: string) => void;
}

/** From here on there is a field to search in. */
const MANY = 9;
/** What needs the customer comes first. */
const ORDER: Record<Status, number> = { expired: 0, active: 1, none: 2 };

/** All applications, and the one that is chosen. */
export function Applications({ style, onSelect }: ApplicationsProps): ReactNode {
  const { client, classes, texts, returned } = useEvergrant();
  const { all, error, load } = useAll();
  const [chosen, setChosen] = useState<string>();
  const [words, setWords] = useState('');
  const id = useId();
  const back = useRef<HTMLButtonElement>(null);
  const list = useRef<HTMLUListElement>(null);
  const left = useRef<string>(undefined);
  useEffect(() => { if (returned && !onSelect) setChosen(returned.slug); }, [returned, onSelect]);
  useEffect(() => {
    if (chosen) back.current?.focus();
    else if (left.current) [...(list.current?.querySelectorAll('button') ?? [])].find((one) => one.dataset.slug === left.current)?.focus();
    left.current = chosen;
  }, [chosen]);

  if (chosen) {
    const leave = () => { setChosen(undefined); void load(); };
    return (
      <Root name="applications" style={style}>
        <button ref={back} className={classes('back')} type="button" onClick={leave}>
          <span aria-hidden="true">←</span> {texts.back}
        </button>
        <Application slug={chosen} />
      </Root>
    );
  }
  if (!all) {
    return (
      <Root name="applications" style={style}>
        <p className={classes('muted')} role="status">{error ? explain(texts, error.code, texts.failed) : texts.loading}</p>
        {error && client && <button className={classes('button')} type="button" onClick={() => void load()}>{texts.retry}</button>}
      </Root>
    );
  }
  const found = all.filter((one) => `${one.name} ${one.tags.join(' ')}`.toLowerCase().includes(words.trim().toLowerCase()));
  return (
    <Root name="applications" style={style}>
      {all.length >= MANY && (
        <div className={classes('field')}>
          <label htmlFor={id}>{texts.search}</label>
          <input id={id} type="search" value={words} onChange={(event) => setWords(event.target.value)} />
        </div>
      )}
      {error && <p className={classes('news', 'bad')} role="status">{explain(texts, error.code, texts.failed)}</p>}
      {found.length === 0 && <p className={classes('muted')} role="status">{texts.nothing}</p>}
      <ul ref={list} className={classes('list')}>
        {found.map((one) => (
          <li key={one.slug}>
            <button className={classes('card')} type="button" data-slug={one.slug} onClick={() => (onSelect ?? setChosen)(one.slug)}>
              <img className={classes('icon')} src={one.icon} alt="" width={36} height={36} />
              <span className={classes('title')}>
                <span className={classes('name')}>{one.name}</span>{' '}
                <span className={classes('muted')}>{one.tags[0]}</span>
              </span>{' '}
              <Chip status={statusOf(one)} />
            </button>
          </li>
        ))}
      </ul>
    </Root>
  );
}

function useAll() {
  const { client, session } = useEvergrant();
  const latest = useRef(0);
  const [all, setAll] = useState<Record_[]>();
  const [error, setError] = useState<EvergrantError>();
  const load = useCallback(async () => {
    if (!client) return;
    setError(undefined);
    latest.current += 1;
    const asked = latest.current;
    try {
      const found = (await client.getApps()).filter((one) => !('ecosystem' in one && one.ecosystem === true));
      if (asked === latest.current) setAll(found.sort((a, b) => ORDER[statusOf(a)] - ORDER[statusOf(b)] || a.name.localeCompare(b.name)));
    } catch (problem) {
      if (asked === latest.current) setError(problem as EvergrantError);
    }
  }, [client]);
  useEffect(() => {
    void load();
    const again = () => { if (document.visibilityState === 'visible') void load(); };
    document.addEventListener('visibilitychange', again);
    return () => document.removeEventListener('visibilitychange', again);
  }, [load, session]);
  return { all, error, load };
}
