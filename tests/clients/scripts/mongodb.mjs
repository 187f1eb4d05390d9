// The driver itself: node mongodb.mjs URI
import { MongoClient } from "mongodb";
import { report, untilQueryable, DOCUMENTS, HYBRID, MODELS, NEAR, WORDS } from "./common.mjs";

const uri = process.argv[2];
const client = await new MongoClient(uri).connect();
const database = client.db("clients");
const collection = await database.createCollection("mongodb");
const ids = async (pipeline) =>
  (await collection.aggregate(pipeline).toArray()).map((one) => one._id);

await report({
  "name of the server": () => [...client.topology.description.servers.keys()],
  "create search indexes": () => collection.createSearchIndexes(MODELS),
  "list search indexes": () => untilQueryable(collection, MODELS.map((model) => model.name)),
  "insert": async () => (await collection.insertMany(DOCUMENTS)).insertedCount,
  "$vectorSearch": () => ids([NEAR]),
  "$search": () => ids([WORDS]),
  "$search in another order": () => ids([{ $search: { ...WORDS.$search, sort: { _id: -1 } } }]),
  "facets": async () => (await collection.aggregate([{
    $searchMeta: {
      index: "words",
      facet: { facets: { ids: { type: "number", path: "_id", boundaries: [0, 1, 4] } } },
    },
  }]).next()).facet.ids.buckets,
  "$searchMeta": async () => (await collection.aggregate([
    { $searchMeta: { ...WORDS.$search, count: { type: "total" } } },
  ]).next()).count.total,
  "$unionWith a search": () => ids(HYBRID(collection.collectionName)),
  "cursor in batches": async () => {
    const found = collection.aggregate([NEAR], { batchSize: 2 });
    const all = [];
    for await (const one of found) all.push(one._id);
    return all;
  },
  "transaction": () => client.withSession((session) => session.withTransaction(async () => {
    await collection.insertOne({ _id: 9, text: "in a transaction" }, { session });
    return collection.countDocuments({}, { session });
  })),
  "change stream": async () => {
    const stream = collection.watch();
    const change = stream.next();
    const marks = setInterval(() => collection.updateOne({ _id: 9 }, { $inc: { n: 1 } }), 50);
    const { operationType } = await change;
    clearInterval(marks);
    await stream.close();
    return operationType;
  },
  "update a search index": () => collection.updateSearchIndex("words", {
    mappings: { dynamic: true },
  }),
  "drop a search index": () => collection.dropSearchIndex("words"),
  "drop one of a missing collection": () => database.collection("missing").dropSearchIndex("x"),
});
await client.close();
