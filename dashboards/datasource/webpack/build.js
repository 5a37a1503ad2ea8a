// Builds the frontend into dist/: module.js, plugin.json, README, CHANGELOG, licence and logo. The same sources give the same
// bytes: the date in plugin.json is SOURCE_DATE_EPOCH's.
'use strict';
const fs = require('node:fs');
const path = require('node:path');
const webpack = require('webpack');
const TerserPlugin = require('terser-webpack-plugin');

const root = path.resolve(__dirname, '..');
const dist = path.join(root, 'dist');
const { version } = require('../package.json');

/** What Grafana brings itself, in the version that it runs. */
const externals = ['react', 'react-dom', 'rxjs', /^@grafana\/(ui|runtime|data)/i];

const config = {
  mode: 'production',
  target: ['web', 'es2020'],
  context: path.join(root, 'src'),
  entry: { module: './module.ts' },
  devtool: 'source-map',
  externals,
  module: {
    rules: [
      {
        test: /\.tsx?$/,
        exclude: /node_modules/,
        use: { loader: 'swc-loader', options: { jsc: { target: 'es2020', parser: { syntax: 'typescript', tsx: true }, transform: { react: { runtime: 'classic' } } } } },
      },
    ],
  },
  optimization: { minimizer: [new TerserPlugin({ extractComments: false, parallel: 1, terserOptions: { format: { comments: false } } })] },
  output: { path: dist, filename: '[name].js', library: { type: 'amd' }, publicPath: 'public/plugins/lamppost-city-datasource/', uniqueName: 'lamppost-city-datasource', clean: true },
  resolve: { extensions: ['.ts', '.tsx', '.js'] },
};

/** copy puts a file into dist, with the version and the date filled in. */
function copy(from, to) {
  const seconds = Number(process.env.SOURCE_DATE_EPOCH ?? Math.floor(Date.now() / 1000));
  const day = new Date(seconds * 1000).toISOString().slice(0, 10);
  const text = fs.readFileSync(path.join(root, from), 'utf8').replaceAll('%VERSION%', version).replaceAll('%TODAY%', day);
  fs.mkdirSync(path.dirname(path.join(dist, to)), { recursive: true });
  fs.writeFileSync(path.join(dist, to), text);
}

webpack(config, (fault, stats) => {
  if (fault || stats.hasErrors()) {
    process.stderr.write(`${fault ?? stats.toString({ all: false, errors: true })}\n`);
    process.exitCode = 1;
    return;
  }
  copy('src/plugin.json', 'plugin.json');
  copy('README.md', 'README.md');
  copy('CHANGELOG.md', 'CHANGELOG.md');
  copy('src/img/logo.svg', 'img/logo.svg');
  copy('../../LICENSE', 'LICENSE');
  process.stdout.write(`${stats.toString({ all: false, assets: true, timings: true })}\n`);
});
