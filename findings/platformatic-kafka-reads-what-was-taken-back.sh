#!/usr/bin/env bash
# Transactions that their producer took back, read by a consumer that reads what is committed only (READ_COMMITTED, the default of all
# clients here). One producer: A is aborted, B committed, C aborted; then D, of no transaction. All is there before the reading begins, so
# that it comes with one answer. Who is shown A or C?
#
# A broker that is asked for what is committed sends the aborted records too, with a list of (producer, first offset) of the aborted
# transactions; the client leaves them out, up to the marker that ends each. Apache Kafka 4.3.1, one broker; the transactions are kafkajs'.
#
# Guess, before it ran: kafkajs 2.2.4 shows B and D. @platformatic/kafka 2.12.1 keeps one range for each producer (#filterUncommittedMessages
# in its consumer.js), so that the last aborted transaction hides the one before it: A, B and D.
#
# Seen: as guessed. A record that was taken back is shown as if it had been committed; the emulation of event source mappings leaves them out itself.
# Exits with 1 when any of this changes.
set -euo pipefail
folder=$(mktemp -d)
processes=()
trap 'kill "${processes[@]}" 2>/dev/null || true; wait; rm -rf "$folder"' EXIT
cd "$folder"

npm init -y >/dev/null
npm install --silent --no-audit --no-fund kafkajs@2.2.4 @platformatic/kafka@2.12.1 node@24.11.1 >/dev/null
node=node_modules/.bin/node
cat >pom.xml <<'XML'
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>finding</groupId>
  <artifactId>kafka</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>4.3.1</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
XML
mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies -DincludeScope=runtime -DoutputDirectory=lib >maven.log

cat >ports.mjs <<'JS'
import { createServer } from 'node:net';
import { writeFileSync } from 'node:fs';

const servers = [createServer(), createServer()];
const ports = await Promise.all(
  servers.map((server) => new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server.address().port)))),
);
await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
const [own, controller] = ports;
writeFileSync('server.properties', `
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:${controller}
listeners=PLAINTEXT://127.0.0.1:${own},CONTROLLER://127.0.0.1:${controller}
advertised.listeners=PLAINTEXT://127.0.0.1:${own},CONTROLLER://127.0.0.1:${controller}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=data
auto.create.topics.enable=false
log.index.size.max.bytes=1048576
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
group.initial.rebalance.delay.ms=0
log.cleaner.dedupe.buffer.size=4194304
`);
console.log(own);
JS
broker="127.0.0.1:$($node ports.mjs)"
kafka() { exec java -Xmx512m -XX:+UseSerialGC -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -cp 'lib/*' "$@" >>broker.log 2>&1; }
(kafka kafka.tools.StorageTool format --standalone --cluster-id=MkU3OEVBNTcwNTJENDM2Qk -c server.properties)
kafka kafka.Kafka server.properties &
processes+=($!)

cat >read.mjs <<'JS'
import { Consumer, stringDeserializers } from '@platformatic/kafka';
import { Kafka, logLevel } from 'kafkajs';

const [broker] = process.argv.slice(2);
const topic = 'taken-back';
const kafka = new Kafka({ clientId: 'finding', brokers: [broker], logLevel: logLevel.NOTHING, retry: { retries: 60, maxRetryTime: 1_000 } });
const admin = kafka.admin();
await admin.connect();
await admin.createTopics({ topics: [{ topic, numPartitions: 1, replicationFactor: 1 }] });
const producer = kafka.producer({ transactionalId: 'finding', idempotent: true, maxInFlightRequests: 1 });
const plain = kafka.producer();
await Promise.all([producer.connect(), plain.connect()]);
for (const [value, end] of [['A', 'abort'], ['B', 'commit'], ['C', 'abort']]) {
  const transaction = await producer.transaction();
  await transaction.send({ topic, messages: [{ value }] });
  await transaction[end]();
}
await plain.send({ topic, messages: [{ value: 'D' }] });

/** Up to D, which is the last. */
function untilLast(begin) {
  const shown = [];
  return new Promise((resolve) => begin((value) => (shown.push(value), value === 'D' && resolve(shown.join(' ')))));
}
const ofKafkajs = await untilLast(async (show) => {
  const consumer = kafka.consumer({ groupId: 'kafkajs' });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await consumer.run({ eachMessage: async ({ message }) => show(message.value.toString()) });
});
const ofPlatformatic = await untilLast(async (show) => {
  const consumer = new Consumer({ clientId: 'finding', groupId: 'platformatic', bootstrapBrokers: [broker], deserializers: stringDeserializers });
  const stream = await consumer.consume({ topics: [topic], mode: 'earliest' });
  stream.on('data', ({ value }) => show(value));
});
console.log(`kafkajs: ${ofKafkajs}`);
console.log(`@platformatic/kafka: ${ofPlatformatic}`);
process.exit();
JS
seen=$($node read.mjs "$broker" 2>read.log)
echo "$seen"
expected='kafkajs: B D
@platformatic/kafka: A B D'
if [ "$seen" != "$expected" ]; then
  echo 'Not as it was seen first' >&2
  exit 1
fi
