-- GEOGRAPHY, as far as points go: GeoJSON. Distances are on a sphere, in metres.

CREATE OR REPLACE MACRO _sf.main.point_(x, y) AS
  json_object('coordinates', [CAST(x AS DOUBLE), CAST(y AS DOUBLE)], 'type', 'Point');
CREATE OR REPLACE MACRO _sf.main.coordinate_(s, i) AS
  CAST(regexp_extract(s, '^\s*(?i:POINT)\s*\(\s*([-+0-9.eE]+)\s+([-+0-9.eE]+)\s*\)\s*$', i) AS DOUBLE);
CREATE OR REPLACE MACRO _sf.main.point_of_text_(s) AS
  CASE WHEN s IS NULL THEN NULL
       WHEN regexp_matches(s, '^\s*(?i:POINT)\s*\(\s*[-+0-9.eE]+\s+[-+0-9.eE]+\s*\)\s*$')
         THEN _sf.main.point_(_sf.main.coordinate_(s, 1), _sf.main.coordinate_(s, 2))
       WHEN json_valid(s) AND json_extract_string(s, '$.type') = 'Point'
         THEN _sf.main.point_(json_extract(s, '$.coordinates[0]'), json_extract(s, '$.coordinates[1]'))
       ELSE CAST(error('a GEOGRAPHY that is not a point is not supported') AS JSON) END;
CREATE OR REPLACE MACRO _sf.main.to_geography(x) AS _sf.main.point_of_text_(CAST(x AS VARCHAR));
CREATE OR REPLACE MACRO _sf.main.st_x(g) AS CAST(json_extract(to_json(g), '$.coordinates[0]') AS DOUBLE);
CREATE OR REPLACE MACRO _sf.main.st_y(g) AS CAST(json_extract(to_json(g), '$.coordinates[1]') AS DOUBLE);
CREATE OR REPLACE MACRO _sf.main.st_asgeojson(g) AS to_json(g);
CREATE OR REPLACE MACRO _sf.main.st_aswkt(g) AS
  'POINT(' || _sf.main.float_text_(_sf.main.st_x(g)) || ' '
  || _sf.main.float_text_(_sf.main.st_y(g)) || ')';
CREATE OR REPLACE MACRO _sf.main.st_astext(g) AS _sf.main.st_aswkt(g);
CREATE OR REPLACE MACRO _sf.main.st_distance(a, b) AS
  _sf.main.haversine(_sf.main.st_y(a), _sf.main.st_x(a), _sf.main.st_y(b), _sf.main.st_x(b))
  / 6371 * 6371010;
CREATE OR REPLACE MACRO _sf.main.st_dwithin(a, b, metres) AS
  _sf.main.st_distance(a, b) <= metres;
