// node dev/mock/main.mjs [--port 8090] [--sensors 120] [--guarded] [--no-plan] [--store-away]: serves the built page
// over a made-up city.
import { parseArgs } from 'node:util';
import { createMock } from './server.mjs';

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '8090' },
    sensors: { type: 'string', default: '120' },
    guarded: { type: 'boolean', default: false },
    'no-plan': { type: 'boolean', default: false },
    'store-away': { type: 'boolean', default: false },
  },
});
const mock = createMock({ sensors: Number(values.sensors), guarded: values.guarded, noPlan: values['no-plan'], storeAway: values['store-away'] });
console.log(`made-up city at ${await mock.listen(Number(values.port))}`);
