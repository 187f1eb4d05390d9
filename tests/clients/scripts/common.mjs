// What the scripts for Node share.

// Four documents, by _id: 0 and 1 are nearest to zero, 1 and 2 hold the word `light`.
export const DOCUMENTS = ["calm sea", "light", "a light house", "keepers"].map((text, n) => ({
  _id: n, text, embedding: [n, n, n, n],
}));
export const MODELS = [
  {
    name: "near",
    type: "vectorSearch",
    definition: {
      fields: [{ type: "vector", path: "embedding", numDimensions: 4, similarity: "euclidean" }],
    },
  },
  {
    name: "words",
    definition: {
      mappings: { dynamic: false, fields: { text: { type: "string" }, _id: { type: "number" } } },
    },
  },
];
export const NEAR = {
  $vectorSearch: {
    index: "near", path: "embedding", queryVector: [0, 0, 0, 0], numCandidates: 10, limit: 3,
  },
};
export const WORDS = { $search: { index: "words", text: { query: "light", path: "text" } } };
export const HYBRID = (name) => [
  NEAR, { $limit: 1 }, { $unionWith: { coll: name, pipeline: [WORDS, { $limit: 1 }] } },
];

export async function untilQueryable(collection, names) {
  for (;;) {
    const found = await collection.listSearchIndexes().toArray();
    const ready = found.filter((index) => index.queryable).map((index) => index.name);
    if (names.every((name) => ready.includes(name))) return ready.sort();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

// Runs the operations one after another and prints what each returned, or its error, as JSON.
export async function report(operations) {
  const results = {};
  for (const [name, operation] of Object.entries(operations)) {
    try {
      results[name] = (await operation()) ?? null;
    } catch (error) {
      results[name] = `${error.name}: ${error.message}`;
    }
  }
  console.log(JSON.stringify(results));
}
