// A client of JSON-RPC 2.0 that others wrote, at work on the port that it is given. It
// prints what came of each call, one line of JSON each.
'use strict';

const jayson = require('jayson');

const client = jayson.Client.tcp({ host: '127.0.0.1', port: Number(process.argv[2]) });
const ask = (...args) => new Promise((resolve, reject) => {
  client.request(...args, (err, response) => err ? reject(err) : resolve(response));
});
const request = (method, params, id) => client.request(method, params, id);

async function main() {
  const print = (name, response) => console.log(JSON.stringify({ name, response }));
  print('positional', await ask('subtract', [42, 23], 'a string'));
  print('named', await ask('subtract', { subtrahend: 23, minuend: 42 }, 7));
  const made = await ask('subtract', [1, 2]); // its own id, a UUID
  print('made', { result: made.result, id: typeof made.id });
  print('unknown', await ask('none', [], 'u'));
  print('invalid', await ask('subtract', ['x'], 1.5));
  print('failed', await ask('fail', [1001], -1));
  print('notification', await ask('update', ['jayson'], null) || null);
  print('batch', await ask([
    request('sum', [1, 2, 4], '1'),
    request('notify_hello', ['jayson'], null),
    request('none', [], '5'),
    request('get_data', [], 9),
  ]));
}

main().catch((err) => { console.error(err); process.exitCode = 1; });
