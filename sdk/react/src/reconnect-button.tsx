import { useState, type CSSProperties, type ReactNode } from 'react';
import { ConnectForm, fieldsOf, firstType, News } from './parts.js';
import { Root, useEvergrant } from './provider.js';
import { fill } from './texts.js';
import { useApplication } from './use-application.js';

export interface ReconnectButtonProps {
  slug: string;
  style?: CSSProperties;
  /** Stands on the button in place of "Reconnect {name}". */
  children?: ReactNode;
  /** Called once the application works again. */
  onReconnected?: () => void;
}

/**
 * There exactly when the customer must reconnect, and as long as there is something to say about it. Applications with
 * keys ask for them in place.
 */
export function ReconnectButton({ slug, style, children, onReconnected }: ReconnectButtonProps): ReactNode {
  const { classes, texts } = useEvergrant();
  const app = useApplication(slug);
  const [open, setOpen] = useState(false);
  const { application, status, busy, outcome } = app;
  if (!application || (status !== 'expired' && !busy && outcome !== 'connected')) return null;

  const reconnect: typeof app.connect = async (payload, type) => {
    const done = await app.connect(payload, type);
    if (done) { setOpen(false); onReconnected?.(); }
    return done;
  };
  const type = firstType(application);
  const asks = type === 'keybased' || fieldsOf(application, type).length > 0;
  const label = busy === 'connect' ? fill(texts.connecting, application.name) : children ?? fill(texts.reconnectNamed, application.name);
  return (
    <Root name="reconnect" style={style} data-slug={slug}>
      {status === 'expired' && !open && (
        <button
          className={classes('button', 'primary')}
          type="button"
          aria-disabled={busy !== undefined}
          aria-expanded={asks ? open : undefined}
          onClick={() => { if (asks) setOpen(true); else if (!busy) void reconnect(undefined, type); }}
        >
          {label}
        </button>
      )}
      {status === 'expired' && open && <ConnectForm app={{ ...app, connect: reconnect }} label={texts.reconnect} takesFocus />}
      <News app={app} name={application.name} waits={!open} />
    </Root>
  );
}
