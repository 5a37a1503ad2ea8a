import { type DataFrame, type DataQueryRequest, type DataQueryResponse } from '@grafana/data';

/**
 * An answer in which no query has a row, as the panel needs it to say its own words for that (Grafana 12.3). A table shows the headers
 * of columns as long as there are any. Timelines complain of a missing column as long as there is any frame: only one with a notice,
 * which says why there is nothing, is left. Other panels keep all: a count of no rows is 0, and not unknown.
 */
export function emptied(answer: DataQueryResponse, request: DataQueryRequest): DataQueryResponse {
  const frames = answer.data as DataFrame[];
  if (frames.some((frame) => frame.length > 0)) {
    return answer;
  }
  switch (request.panelPluginId) {
    case 'table':
      return { ...answer, data: frames.map((frame) => ({ ...frame, fields: [] })) };
    case 'state-timeline':
    case 'status-history':
      return { ...answer, data: frames.filter((frame) => (frame.meta?.notices ?? []).length > 0) };
    default:
      return answer;
  }
}
