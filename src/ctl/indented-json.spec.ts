import assert from 'node:assert/strict';
import { test } from 'node:test';
import { indentedJson } from './indented-json.js';

test('indents JSON and keeps every digit', () => {
  const json = '{"size":18446744073709551616,"list":[1,2.50,-0],"text":"a\\u001bb","none":{},"on":true}';
  assert.equal(
    indentedJson(json),
    `{
  "size": 18446744073709551616,
  "list": [
    1,
    2.50,
    -0
  ],
  "text": "a\\u001bb",
  "none": {},
  "on": true
}`,
  );
});
