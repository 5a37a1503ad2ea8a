// The parts of Grafana come as ES modules, which Jest has to turn into CommonJS.
const modules = ['@grafana/schema', '@wojtekmaj/date-utils', 'd3', 'd3-[a-z-]+', 'get-user-locale', 'marked', 'memoize', 'mimic-function', 'ol', 'react-calendar', 'react-colorful', 'react-data-grid', 'rxjs', 'uuid', 'internmap', 'delaunator', 'robust-predicates'];

module.exports = {
  testEnvironment: 'jest-environment-jsdom',
  testTimeout: 60_000, // drawing Grafana's controls takes seconds on a machine with much else to do
  testMatch: ['<rootDir>/test/**/*.test.{ts,tsx}'],
  setupFiles: ['<rootDir>/test/setup.js'],
  moduleNameMapper: { 'react-inlinesvg': '<rootDir>/test/svg.js', '\\.css$': '<rootDir>/test/svg.js' },
  transform: { '^.+\\.(m?[jt]s|[jt]sx)$': ['@swc/jest', { jsc: { target: 'es2020', parser: { syntax: 'typescript', tsx: true }, transform: { react: { runtime: 'classic' } } } }] },
  transformIgnorePatterns: [`node_modules/(?!(.*/)?(${modules.join('|')})/)`],
};
