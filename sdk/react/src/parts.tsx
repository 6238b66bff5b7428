import type { Application, AuthType, InputField, Payload, Status } from '@evergrant/js';
import { useEffect, useId, useRef, useState, type FormEvent, type ReactNode } from 'react';
import { useEvergrant } from './provider.js';
import { explain, fill } from './texts.js';
import type { UseApplication } from './use-application.js';

/** The state in one word. */
export function Chip({ status }: { status: Status }): ReactNode {
  const { classes, texts } = useEvergrant();
  if (status === 'none') return null;
  return <span className={classes('chip', status)}>{status === 'active' ? texts.connected : texts.expired}</span>;
}

/**
 * What just happened, for eyes and screen readers. The element is there before its text, so that the text is read out; it
 * can take the focus of what is gone. `waits`: that something is under way can be seen elsewhere.
 */
export function News({ app, name, waits = false }: { app: UseApplication; name: string; waits?: boolean }): ReactNode {
  const { classes, texts } = useEvergrant();
  const { busy, outcome, error } = app;
  const done = { connected: texts.connectedNow, disconnected: texts.disconnectedNow, declined: texts.declined };
  let text = '';
  if (busy) text = busy === 'connect' ? texts.connecting : texts.disconnecting;
  else if (error) text = explain(texts, error.code, error.message);
  else if (outcome) text = done[outcome];
  const kind = error && !busy ? 'bad' : outcome === 'connected' && !busy ? 'good' : undefined;
  return <p className={classes('news', kind, waits && busy && 'unseen')} role="status" tabIndex={-1}>{fill(text, name)}</p>;
}

/** The auth types that an application supports, the primary one first. */
export function typesOf(application: Application): AuthType[] {
  const all = Object.keys(application.auth_type_options ?? {}) as AuthType[];
  return [application.auth_type, ...all.filter((type) => type !== application.auth_type)];
}

/** The auth type to begin with: that of the connection that has expired, or else the primary one. */
export function firstType(application: Application): AuthType {
  return application.connected_accounts?.find((one) => one.status === 'expired')?.auth_type ?? application.auth_type;
}

export function fieldsOf(application: Application, type: AuthType): InputField[] {
  return application.auth_type_options?.[type] ?? (type === application.auth_type ? application.auth_input_map : []);
}

/**
 * Connect or Reconnect, with the fields that the application asks for. `takesFocus`: it has just come in the place of what
 * was pressed. A button at work is not disabled: that would lose the focus.
 */
export function ConnectForm({ app, label, takesFocus = false }: { app: UseApplication; label: string; takesFocus?: boolean }): ReactNode {
  const { classes, texts } = useEvergrant();
  const id = useId();
  const { application, busy } = app;
  const [chosen, setChosen] = useState<AuthType>();
  const form = useRef<HTMLFormElement>(null);
  useEffect(() => { if (takesFocus) form.current?.querySelector<HTMLElement>('input, select, textarea')?.focus(); }, [takesFocus]);
  if (!application) return null;
  const types = typesOf(application);
  const type = chosen ?? firstType(application);
  const fields = fieldsOf(application, type);

  function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    if (busy) return;
    const given = new FormData(event.currentTarget);
    const payload: Payload = {};
    for (const field of fields) {
      const values = given.getAll(field.name).map(String);
      if (field.type === 'boolean') payload[field.name] = values.length > 0;
      else if (values.some((value) => value !== '')) payload[field.name] = values.join(',');
    }
    void app.connect(fields.length > 0 ? payload : undefined, type);
  }

  return (
    <form ref={form} className={classes('form')} onSubmit={submit}>
      {types.length > 1 && (
        <fieldset className={classes('ways')}>
          <legend>{texts.way}</legend>
          {types.map((one) => (
            <label key={one}>
              <input type="radio" name={`${id}-way`} checked={one === type} onChange={() => setChosen(one)} />
              {texts[one]}
            </label>
          ))}
        </fieldset>
      )}
      {fields.map((field) => <Field key={`${type}-${field.name}`} id={`${id}-${field.name}`} field={field} onInput={() => setChosen(type)} />)}
      <button className={classes('button', 'primary')} type="submit" aria-disabled={busy !== undefined}>{label}</button>
    </form>
  );
}

/** `onInput`: whoever types has chosen this way, whatever becomes of the connection meanwhile. */
function Field({ id, field, onInput }: { id: string; field: InputField; onInput: () => void }): ReactNode {
  const { classes } = useEvergrant();
  const help = field.help_text ? `${id}-help` : undefined;
  const common = { id, name: field.name, required: field.required && field.type !== 'boolean', 'aria-describedby': help };
  let control: ReactNode;
  if (field.type === 'select') {
    control = (
      <select {...common} multiple={field.multiple} defaultValue={field.multiple ? [] : ''}>
        {!field.multiple && <option value="">{field.placeholder ?? ''}</option>}
        {field.options?.map(({ name, value }) => <option key={value} value={value}>{name ?? value}</option>)}
      </select>
    );
  } else if (field.type === 'textarea') {
    control = <textarea {...common} placeholder={field.placeholder} />;
  } else if (field.type === 'boolean') {
    control = <input {...common} type="checkbox" />;
  } else {
    const known = ['password', 'number', 'email', 'url', 'tel', 'date'].includes(field.type);
    control = <input {...common} type={known ? field.type : 'text'} placeholder={field.placeholder} autoComplete="off" />;
  }
  return (
    <div className={classes('field')} onInput={onInput}>
      <label htmlFor={id}>{field.label}</label>
      {control}
      {help && <p id={help} className={classes('help')}>{field.help_text}</p>}
    </div>
  );
}
