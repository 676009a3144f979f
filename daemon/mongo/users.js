// The audit trail's own user: it inserts and finds, and cannot change or take away what is there.
// Run once by the image, on an empty data folder. Dropping the trail to have it rebuilt is the
// administrator's work (root, in .env), never walletd's.
const audit = db.getSiblingDB("wallet");
audit.createRole({
  role: "appendOnly",
  privileges: [
    {
      resource: { db: "wallet", collection: "" },
      actions: ["find", "insert", "createCollection", "createIndex", "listCollections", "listIndexes", "collStats", "dbStats"],
    },
  ],
  roles: [],
});
audit.createUser({
  user: "walletd",
  pwd: process.env.MONGO_AUDIT_PASSWORD,
  roles: [{ role: "appendOnly", db: "wallet" }],
});
