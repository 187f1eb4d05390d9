// Replicate's client for Node: node replicate.mjs BASE MODEL VERSION, with REPLICATE_API_TOKEN
import Replicate from "replicate";
import { report } from "./common.mjs";

const [base, model, version] = process.argv.slice(2);
const replicate = new Replicate({ baseUrl: `${base}/v1`, useFileOutput: false });
const file = Buffer.from("from a file");

await report({
  "account": async () => (await replicate.accounts.current()).username,
  "models.get": async () => (await replicate.models.get(...model.split("/"))).name,
  "models.list": async () => (await replicate.models.list()).results.length > 0,
  "models.versions.list": async () =>
    (await replicate.models.versions.list(...model.split("/"))).results.map((one) => one.id),
  "run": async () => (await replicate.run(`${model}:${version}`, { input: { text: "a" } })).said,
  "run by polling": async () => (await replicate.run(model, {
    input: { text: "b" }, wait: { mode: "poll", interval: 50 },
  })).said,
  "predictions.create and wait": async () => {
    const created = await replicate.predictions.create({ version, input: { text: "c" } });
    return (await replicate.wait(created, { interval: 50 })).output.said;
  },
  "predictions.cancel": async () => {
    const created = await replicate.predictions.create({
      version, input: { mode: "sleep", seconds: 60 },
    });
    return (await replicate.predictions.cancel(created.id)).status;
  },
  "predictions.list": async () => (await replicate.predictions.list()).results.length > 2,
  "files.create": async () => (await replicate.files.create(file, { a: 1 })).metadata,
  "files.list and delete": async () => {
    const [newest] = (await replicate.files.list()).results;
    return [newest.size, await replicate.files.delete(newest.id)];
  },
  "a file as input": async () => (await replicate.run(model, { input: { file } })).said,
  "webhooks secret": async () => (await replicate.webhooks.default.secret.get()).key,
});
