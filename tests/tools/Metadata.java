import java.sql.*;
import java.util.*;

/** What a tool on JDBC does first; prints a line for each thing that it saw. Argument: the URL. */
public class Metadata {
    static void print(String label, ResultSet rows, String... columns) throws SQLException {
        List<String> lines = new ArrayList<>();
        while (rows.next()) {
            List<String> values = new ArrayList<>();
            for (String column : columns) values.add(String.valueOf(rows.getString(column)));
            lines.add(String.join(",", values));
        }
        System.out.println(label + "=" + String.join(";", lines));
    }

    public static void main(String[] arguments) throws Exception {
        Properties properties = new Properties();
        properties.setProperty("user", "tester");
        try (Connection connection = DriverManager.getConnection(arguments[0], properties)) {
            DatabaseMetaData about = connection.getMetaData();
            System.out.println("product=" + about.getDatabaseProductName());
            print("tables", about.getTables(null, "jdbc", "%", new String[] {"TABLE", "VIEW"}), "TABLE_NAME", "TABLE_TYPE");
            print("columns", about.getColumns(null, "jdbc", "orders", "%"), "COLUMN_NAME", "TYPE_NAME", "COLUMN_SIZE", "NULLABLE");
            print("key", about.getPrimaryKeys(null, "jdbc", "orders"), "COLUMN_NAME");
            print("imported", about.getImportedKeys(null, "jdbc", "lines"), "PKTABLE_NAME", "FKCOLUMN_NAME");
            print("index", about.getIndexInfo(null, "jdbc", "orders", true, false), "COLUMN_NAME");
            System.out.println("types=" + about.getTypeInfo().next());
            System.out.println("schemas=" + about.getSchemas().next());
            connection.setAutoCommit(false);
            try (PreparedStatement insert = connection.prepareStatement("INSERT INTO jdbc.orders VALUES (?, ?, ?)")) {
                for (int i = 0; i < 1000; i++) {
                    insert.setInt(1, i);
                    insert.setBigDecimal(2, new java.math.BigDecimal("1.50"));
                    insert.setTimestamp(3, Timestamp.valueOf("2024-01-02 03:04:05"));
                    insert.addBatch();
                }
                System.out.println("batch=" + Arrays.stream(insert.executeBatch()).map(n -> n < 0 ? 1 : n).sum());
            }
            connection.commit();
            try (PreparedStatement query = connection.prepareStatement("SELECT id, total, placed FROM jdbc.orders WHERE id >= ? ORDER BY id")) {
                query.setFetchSize(100);
                for (int turn = 0; turn < 6; turn++) {
                    query.setInt(1, 10);
                    int count = 0;
                    String last = "";
                    try (ResultSet rows = query.executeQuery()) {
                        while (rows.next()) {
                            count++;
                            last = rows.getInt(1) + "," + rows.getBigDecimal(2) + "," + rows.getTimestamp(3);
                        }
                    }
                    if (turn == 5) System.out.println("fetched=" + count + "," + last);
                }
            }
            connection.rollback();
            try (Statement statement = connection.createStatement()) {
                statement.executeQuery("SELECT nothing FROM jdbc.orders");
            } catch (SQLException error) {
                System.out.println("error=" + error.getSQLState());
            }
            connection.rollback();
        }
    }
}
