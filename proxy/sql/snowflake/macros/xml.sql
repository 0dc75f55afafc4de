-- XML, as JSON objects; see markup.py.

CREATE OR REPLACE MACRO _sf.main.check_xml(s) AS xml_fault_(CAST(s AS VARCHAR)),
  (s, as_text) AS xml_fault_(CAST(s AS VARCHAR));
CREATE OR REPLACE MACRO _sf.main.parse_xml(s) AS CAST(parsed_xml_(CAST(s AS VARCHAR), 0) AS JSON),
  (s, as_text) AS CAST(parsed_xml_(CAST(s AS VARCHAR), coalesce(CAST(as_text AS BIGINT), 0)) AS JSON);
CREATE OR REPLACE MACRO _sf.main.try_parse_xml(s) AS
    CAST(try_parsed_xml_(CAST(s AS VARCHAR), 0) AS JSON),
  (s, as_text) AS
    CAST(try_parsed_xml_(CAST(s AS VARCHAR), coalesce(CAST(as_text AS BIGINT), 0)) AS JSON);
CREATE OR REPLACE MACRO _sf.main.to_xml(x) AS xml_of_(CAST(_sf.main.variant_of_(x) AS VARCHAR));
CREATE OR REPLACE MACRO _sf.main.contents_(c) AS
  CASE json_type(c) WHEN 'ARRAY' THEN json_elements_(c)
                    WHEN 'OBJECT' THEN [c] ELSE CAST([] AS JSON[]) END;
CREATE OR REPLACE MACRO _sf.main.xmlget(x, tag) AS
    list_filter(_sf.main.contents_(variant_path_(to_json(x), '$."$"')),
      lambda e: variant_text_(e, '$."@"') = tag)[1],
  (x, tag, i) AS
    list_filter(_sf.main.contents_(variant_path_(to_json(x), '$."$"')),
      lambda e: variant_text_(e, '$."@"') = tag)[CAST(i AS BIGINT) + 1];
