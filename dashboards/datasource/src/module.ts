import { DataSourcePlugin } from '@grafana/data';
import { ConfigEditor } from './components/ConfigEditor';
import { QueryEditor } from './components/QueryEditor';
import { LamppostDatasource } from './datasource';
import { type LamppostOptions, type LamppostQuery, type LamppostSecrets } from './types';

export const plugin = new DataSourcePlugin<LamppostDatasource, LamppostQuery, LamppostOptions, LamppostSecrets>(LamppostDatasource)
  .setConfigEditor(ConfigEditor)
  .setQueryEditor(QueryEditor);
