# Perl's DBD::Pg, as its users drive it: arguments host, port, schema; PGOPTIONS names the dialect.
use strict;
use DBI;
use JSON::PP;

my ($host, $port, $schema) = @ARGV;
my $db = DBI->connect("dbi:Pg:host=$host;port=$port;dbname=hatidata", "tester", "",
    { RaiseError => 1, PrintError => 0, AutoCommit => 1 });
my %found;
$db->do("CREATE TABLE $schema.goods (id INT4 PRIMARY KEY, name VARCHAR(20) NOT NULL, "
    . "price NUMERIC(8,2), image BYTEA, tags TEXT[])");
my $insert = $db->prepare("INSERT INTO $schema.goods VALUES (?, ?, ?, ?, ?)");
for my $id (1 .. 3) {
    $insert->bind_param(4, "\0\1", { pg_type => DBD::Pg::PG_BYTEA() });
    $insert->bind_param($_->[0], $_->[1])
        for [1, $id], [2, "it's \\ $id"], [3, "1.50"], [5, ["a", "b c"]];
    $insert->execute;
}
$found{row} = $db->selectall_arrayref("SELECT id, name, price, tags FROM $schema.goods ORDER BY id")->[0];
$found{tables} = [map { $_->[2] } @{ $db->table_info("", $schema, "%", "TABLE")->fetchall_arrayref }];
my $columns = $db->column_info("", $schema, "goods", "%")->fetchall_hashref("ORDINAL_POSITION");
$found{columns} = [map { "$columns->{$_}{COLUMN_NAME} $columns->{$_}{TYPE_NAME}" } sort keys %$columns];
$found{key} = [$db->primary_key("", $schema, "goods")];
$db->begin_work;
$db->do("DELETE FROM $schema.goods WHERE id = 1");
$db->pg_savepoint("here");
$db->do("DELETE FROM $schema.goods");
$db->pg_rollback_to("here");
$db->commit;
$db->do("COPY $schema.goods (id, name) FROM STDIN");
$db->pg_putcopydata("9\tcopied\n");
$db->pg_putcopyend;
$found{left} = $db->selectcol_arrayref("SELECT id FROM $schema.goods WHERE id = ANY (?) ORDER BY id",
    undef, [1, 2, 9]);
eval { $db->do("SELECT nothing FROM $schema.goods") };
$found{state} = $db->state;
$found{quoted} = $db->selectrow_array("SELECT " . $db->quote("a'b\\c"));
print encode_json(\%found);
$db->disconnect;
