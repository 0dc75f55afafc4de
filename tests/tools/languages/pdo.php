<?php // PHP's PDO and its pgsql functions: arguments host, port, schema, dialect.
[, $host, $port, $schema, $dialect] = $argv;
$options = "options='-c hatidata.dialect=$dialect'";
$db = new PDO("pgsql:host=$host;port=$port;dbname=hatidata;user=tester;$options");
$found = [];
$db->exec("CREATE TABLE $schema.goods (id SERIAL PRIMARY KEY, name VARCHAR(20), price NUMERIC(8,2), sold BOOL)");
$insert = $db->prepare("INSERT INTO $schema.goods (name, price, sold) VALUES (:name, :price, :sold) RETURNING id");
$insert->bindValue(':name', "it's");
$insert->bindValue(':price', '1.50');
$insert->bindValue(':sold', true, PDO::PARAM_BOOL);
$insert->execute();
$found['id'] = $insert->fetchColumn();
$found['last'] = $db->lastInsertId("$schema.goods_id_seq");
$query = $db->query("SELECT name, price, sold FROM $schema.goods");
$found['type'] = $query->getColumnMeta(0)['native_type'];
$found['row'] = $query->fetch(PDO::FETCH_ASSOC);
$db->beginTransaction();
$db->exec("DELETE FROM $schema.goods");
$db->rollBack();
$db->pgsqlCopyFromArray("$schema.goods", ["5\tcopied\t2.5\tt"], "\t");
$found['rows'] = $db->query("SELECT count(*) FROM $schema.goods")->fetchColumn();
$db->setAttribute(PDO::ATTR_EMULATE_PREPARES, true);
$quoted = $db->prepare("SELECT ? || 'x'");
$quoted->execute(["a'b\\"]);
$found['quoted'] = $quoted->fetchColumn();
try {
    $db->query("SELECT nothing");
} catch (PDOException $error) {
    $found['state'] = $error->getCode();
}
$connection = pg_connect("host=$host port=$port dbname=hatidata user=tester $options");
$found['columns'] = array_keys(pg_meta_data($connection, "$schema.goods"));
$found['selected'] = pg_fetch_all(pg_query_params($connection, "SELECT name FROM $schema.goods WHERE id = \$1", [5]));
echo json_encode($found);
