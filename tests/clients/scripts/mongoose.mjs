// Mongoose: node mongoose.mjs URI
import mongoose from "mongoose";
import { report, untilQueryable, DOCUMENTS, MODELS, NEAR, WORDS } from "./common.mjs";

await mongoose.connect(process.argv[2], { dbName: "clients" });
const schema = new mongoose.Schema({ _id: Number, text: String, embedding: [Number] });
for (const model of MODELS) schema.searchIndex(model);
const Passage = mongoose.model("Passage", schema, "mongoose", { autoCreate: false });

await report({
  "create search indexes": async () => {
    await Passage.createCollection();
    await Passage.createSearchIndexes();
  },
  "list search indexes": () => untilQueryable(Passage.collection, ["near", "words"]),
  "insert": async () => (await Passage.insertMany(DOCUMENTS)).length,
  "$vectorSearch": async () => (await Passage.aggregate([NEAR])).map((one) => one._id),
  "$search": async () => (await Passage.aggregate().search(WORDS.$search)).map((one) => one._id),
  "save and search": async () => {
    await new Passage({ _id: 7, text: "light", embedding: [0, 0, 0, 0] }).save();
    return (await Passage.aggregate([NEAR]).limit(1)).map((one) => one._id);
  },
  "drop a search index": () => Passage.dropSearchIndex("near"),
});
await mongoose.disconnect();
