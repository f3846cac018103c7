import assert from 'node:assert/strict';
import { test } from 'node:test';

import { configSections } from './config.js';
import { settingsOfEnvironment, variableName } from './environment.js';

test('reads section and option from the name of a variable', () => {
  assert.deepEqual(settingsOfEnvironment({ IMAGEIO_BACKEND_HTTP__CA_FILE: '/ca.pem' }), [
    { section: 'backend_http', option: 'ca_file', value: '/ca.pem', origin: 'IMAGEIO_BACKEND_HTTP__CA_FILE' },
  ]);
});

test('keeps an empty value, which is an override as well', () => {
  assert.equal(settingsOfEnvironment({ IMAGEIO_TLS__CA_FILE: '' })[0]?.value, '');
});

test('leaves other variables alone', () => {
  const environment = {
    HOME: '/root',
    IMAGEIO_PORT: 'tcp://10.0.0.1:54323',
    IMAGEIO_SERVICE_HOST: '10.0.0.1',
    imageio_remote__port: '1',
    MY_IMAGEIO_REMOTE__PORT: '1',
    IMAGEIO___PORT: '1',
    IMAGEIO_REMOTE__PORT: undefined,
  };
  assert.deepEqual(settingsOfEnvironment(environment), []);
});

test('reaches every option by the name that the documentation gives', () => {
  for (const section of Object.values(configSections)) {
    for (const option of Object.values(section.options)) {
      const [setting] = settingsOfEnvironment({ [variableName(section.name, option.name)]: 'x' });
      assert.equal(setting?.section, section.name);
      assert.equal(setting.option, option.name);
    }
  }
});
