import type { Application as Record_ } from '@evergrant/js';
import { useEffect, useRef, useState, type CSSProperties, type ReactNode } from 'react';
import { Chip, ConnectForm, News } from './parts.js';
import { Root, useEvergrant } from './provider.js';
import { fill } from './texts.js';
import { useApplication, type UseApplication } from './use-application.js';

/** The props of the official `Config` component are accepted: `slug`, `id`, `labels`, `style`. */
export interface ApplicationProps {
  slug: string;
  /** The id of a configuration, which is made once the application is connected. */
  id?: string;
  /** What the configuration is about. */
  labels?: unknown;
  style?: CSSProperties;
  /** The level of the heading. */
  heading?: 2 | 3 | 4;
}

/** Whose account is connected, where that is known and is text. */
function accountName(application: Record_): string | undefined {
  const identifier = application.connected_accounts?.[0]?.identifier;
  const name = typeof identifier === 'object' && identifier !== null && 'name' in identifier ? identifier.name : identifier;
  return typeof name === 'string' && name !== 'NA' ? name : undefined;
}

/** One application with all that can be done about it. */
export function Application({ slug, id, labels, style, heading = 2 }: ApplicationProps): ReactNode {
  const app = useApplication(slug);
  const { application, status } = app;
  useConfiguration(app, { slug, id, labels });
  return (
    <Root name="application" style={style} data-slug={slug} data-status={status ?? 'loading'}>
      {application && status ? <Details app={app} application={application} heading={heading} /> : <Waiting app={app} />}
      <News app={app} name={application?.name ?? slug} />
    </Root>
  );
}

/** The official component makes a configuration when something is connected; so does this, where it is asked to. */
function useConfiguration({ status }: UseApplication, { slug, id, labels }: Pick<ApplicationProps, 'slug' | 'id' | 'labels'>) {
  const { client } = useEvergrant();
  const latest = useRef(labels);
  useEffect(() => { latest.current = labels; });
  useEffect(() => {
    if (id === undefined || status !== 'active') return;
    client?.config({ slug, config_id: id, labels: latest.current ?? [] }).catch(() => {});
  }, [client, status, slug, id]);
}

function Waiting({ app }: { app: UseApplication }): ReactNode {
  const { classes, texts } = useEvergrant();
  if (!app.error) return <p className={classes('muted')} aria-busy="true">{texts.loading}</p>;
  return (
    <p className={classes('muted')}>
      {texts.failed} <button className={classes('button')} type="button" onClick={() => void app.refresh()}>{texts.retry}</button>
    </p>
  );
}

function Details({ app, application, heading }: { app: UseApplication; application: Record_; heading: 2 | 3 | 4 }): ReactNode {
  const { classes, texts } = useEvergrant();
  const Heading = `h${heading}` as const;
  const { name, icon, description, tags } = application;
  const account = accountName(application);
  return (
    <>
      <header className={classes('head')}>
        <img className={classes('icon')} src={icon} alt="" width={44} height={44} />
        <div className={classes('title')}>
          <Heading>{name}</Heading>
          <p className={classes('muted')}>{account && app.status !== 'none' ? account : tags[0]}</p>
        </div>
        <Chip status={app.status ?? 'none'} />
      </header>
      {description && <p className={classes('description')}>{description}</p>}
      {app.status === 'expired' && <p className={classes('notice')}>{fill(texts.expiredText, name)}</p>}
      {app.status !== 'active' && <ConnectForm app={app} label={app.status === 'expired' ? texts.reconnect : texts.connect} />}
      {app.status !== 'none' && <Disconnect app={app} name={name} />}
    </>
  );
}

/** Asks once more, in place. */
function Disconnect({ app, name }: { app: UseApplication; name: string }): ReactNode {
  const { classes, texts } = useEvergrant();
  const [asking, setAsking] = useState(false);
  const [keep, ask] = [useRef<HTMLButtonElement>(null), useRef<HTMLButtonElement>(null)];
  const asked = useRef(false);
  useEffect(() => {
    if (asking) keep.current?.focus();
    else if (asked.current) ask.current?.focus();
    asked.current = asking;
  }, [asking]);
  const busy = app.busy !== undefined;
  if (!asking) {
    return (
      <div className={classes('row')}>
        <button
          ref={ask}
          className={classes('button', 'quiet')}
          type="button"
          aria-disabled={busy}
          onClick={() => { if (!busy) setAsking(true); }}
        >
          {texts.disconnect}
        </button>
      </div>
    );
  }
  return (
    <div className={classes('row')} role="group" aria-label={fill(texts.disconnectNamed, name)}>
      <span>{fill(texts.disconnectNamed, name)}</span>
      <button ref={keep} className={classes('button')} type="button" onClick={() => setAsking(false)}>{texts.keep}</button>
      <button
        className={classes('button', 'danger')}
        type="button"
        aria-disabled={busy}
        onClick={() => { if (!busy) { setAsking(false); void app.disconnect(); } }}
      >
        {texts.disconnect}
      </button>
    </div>
  );
}
