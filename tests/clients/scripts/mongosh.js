// The shell: mongosh URI --file mongosh.js
const found = {};
const operation = (name, run) => {
  try {
    found[name] = run();
  } catch (error) {
    found[name] = `${error.name}: ${error.message}`;
  }
};
const near = {
  $vectorSearch: {
    index: "near", path: "embedding", queryVector: [0, 0], numCandidates: 10, limit: 2,
  },
};

db.createCollection("mongosh");
operation("name of the server", () => db.hello().me);
operation("rs.status()", () => rs.status().members.map((member) => member.name));
operation("create search indexes", () => [
  db.mongosh.createSearchIndex("words", { mappings: { dynamic: true } }),
  db.mongosh.createSearchIndex("near", "vectorSearch", {
    fields: [{ type: "vector", path: "embedding", numDimensions: 2, similarity: "cosine" }],
  }),
]);
operation("list search indexes", () => {
  while (!db.mongosh.getSearchIndexes().every((index) => index.queryable)) sleep(20);
  return db.mongosh.getSearchIndexes().map((index) => index.name).sort();
});
operation("insert", () => db.mongosh.insertMany([
  { _id: 1, text: "light", embedding: [1, 0] }, { _id: 2, text: "dark", embedding: [0, 1] },
]).insertedIds);
operation("$search", () => db.mongosh.aggregate([
  { $search: { index: "words", text: { query: "light", path: "text" } } },
]).toArray().map((one) => one._id));
operation("zero vector", () => db.mongosh.aggregate([near]).toArray());
operation("$vectorSearch", () => {
  near.$vectorSearch.queryVector = [0, 1];
  return db.mongosh.aggregate([near]).toArray().map((one) => one._id);
});
operation("show collections", () => db.getCollectionNames().includes("mongosh"));
operation("drop a search index", () => db.mongosh.dropSearchIndex("words"));
print(JSON.stringify(found));
