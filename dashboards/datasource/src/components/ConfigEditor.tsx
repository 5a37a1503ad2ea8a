import { type DataSourcePluginOptionsEditorProps } from '@grafana/data';
import { FieldSet, InlineField, InlineSwitch, Input, SecretInput, SecretTextArea } from '@grafana/ui';
import React from 'react';
import { type LamppostOptions, type LamppostSecrets } from '../types';

type Props = DataSourcePluginOptionsEditorProps<LamppostOptions, LamppostSecrets>;
type Secret = keyof LamppostSecrets;

const WIDTH = 24;

/** Where Lamppost is, and what shows it who asks. */
export function ConfigEditor({ options, onOptionsChange }: Props) {
  const { jsonData, secureJsonFields, secureJsonData } = options;
  const refused = jsonData.timeout !== undefined && !(jsonData.timeout >= 1);
  const set = (part: Partial<LamppostOptions>) => onOptionsChange({ ...options, jsonData: { ...jsonData, ...part } });
  const keep = (name: Secret, value: string) => onOptionsChange({ ...options, secureJsonData: { ...secureJsonData, [name]: value } });
  const forget = (name: Secret) =>
    onOptionsChange({ ...options, secureJsonFields: { ...secureJsonFields, [name]: false }, secureJsonData: { ...secureJsonData, [name]: '' } });
  const isKept = (name: Secret) => Boolean((secureJsonFields as Record<string, boolean | undefined> | undefined)?.[name]);
  const area = (name: Secret, label: string, placeholder: string) => (
    <InlineField label={label} labelWidth={WIDTH} htmlFor={`config-${name}`}>
      <SecretTextArea id={`config-${name}`} cols={60} rows={5} placeholder={placeholder} isConfigured={isKept(name)} value={secureJsonData?.[name] ?? ''} onReset={() => forget(name)} onChange={(event) => keep(name, event.currentTarget.value)} />
    </InlineField>
  );
  const toggle = (name: 'tlsAuthWithCACert' | 'tlsAuth' | 'tlsSkipVerify', label: string, tooltip: string) => (
    <InlineField label={label} labelWidth={WIDTH} tooltip={tooltip} htmlFor={`config-${name}`}>
      <InlineSwitch id={`config-${name}`} value={jsonData[name] ?? false} onChange={(event) => set({ [name]: event.currentTarget.checked })} />
    </InlineField>
  );
  return (
    <>
      <FieldSet label="Lamppost">
        <InlineField label="Address" labelWidth={WIDTH} tooltip="As the server that runs Grafana reaches it" htmlFor="config-url" required>
          <Input id="config-url" width={60} placeholder="http://localhost:8080" value={options.url} onChange={(event) => onOptionsChange({ ...options, url: event.currentTarget.value })} />
        </InlineField>
        <InlineField label="Token" labelWidth={WIDTH} tooltip="lamppost up keeps it in the file api-token of its data folder. Without one Lamppost answers on its own machine only" htmlFor="config-token">
          <SecretInput id="config-token" width={60} placeholder="Paste the token" isConfigured={isKept('token')} value={secureJsonData?.token ?? ''} onReset={() => forget('token')} onChange={(event) => keep('token', event.currentTarget.value.trim())} />
        </InlineField>
        <InlineField label="Timeout" labelWidth={WIDTH} tooltip="Seconds that an answer may take" htmlFor="config-timeout" invalid={refused} error="A number of seconds from 1 on; leave it empty for 15">
          <Input id="config-timeout" width={20} type="number" min={1} max={600} placeholder="15" value={jsonData.timeout ?? ''} onChange={(event) => set({ timeout: event.currentTarget.value === '' ? undefined : Number(event.currentTarget.value) })} />
        </InlineField>
      </FieldSet>
      <FieldSet label="TLS">
        {toggle('tlsAuthWithCACert', 'With CA certificate', 'Where the certificate of Lamppost is signed by an authority of your own')}
        {jsonData.tlsAuthWithCACert && area('tlsCACert', 'CA certificate', '-----BEGIN CERTIFICATE-----')}
        {toggle('tlsAuth', 'Client certificate', 'Where a proxy before Lamppost asks for one')}
        {jsonData.tlsAuth && area('tlsClientCert', 'Certificate', '-----BEGIN CERTIFICATE-----')}
        {jsonData.tlsAuth && area('tlsClientKey', 'Key', '-----BEGIN PRIVATE KEY-----')}
        {(jsonData.tlsAuthWithCACert === true || jsonData.tlsAuth === true) && (
          <InlineField label="Server name" labelWidth={WIDTH} tooltip="The name in the certificate, where it is not that of the address" htmlFor="config-server-name">
            <Input id="config-server-name" width={60} value={jsonData.serverName ?? ''} onChange={(event) => set({ serverName: event.currentTarget.value })} />
          </InlineField>
        )}
        {toggle('tlsSkipVerify', 'Trust any certificate', 'For trying things out only: whoever is between can read the token')}
      </FieldSet>
    </>
  );
}
