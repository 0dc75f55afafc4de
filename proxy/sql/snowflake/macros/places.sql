-- GEOGRAPHY, as GeoJSON; see geography.py. Distances are on a sphere, in metres.

CREATE OR REPLACE MACRO _sf.main.point_(x, y) AS
  json_object('coordinates', [CAST(x AS DOUBLE), CAST(y AS DOUBLE)], 'type', 'Point');
-- The GeoJSON of what is a GEOGRAPHY, or can be read as one.
CREATE OR REPLACE MACRO _sf.main.shape_(g) AS
  geo_read_(CASE typeof(g) WHEN 'BLOB' THEN hex(CAST(g AS BLOB)) ELSE CAST(g AS VARCHAR) END);
-- Shapes that are not valid raise an error, allowed or not.
CREATE OR REPLACE MACRO _sf.main.to_geography(x, allow_invalid := false) AS CAST(_sf.main.shape_(x) AS JSON);
CREATE OR REPLACE MACRO _sf.main.try_to_geography(x) AS
  CAST(geo_try_read_(CASE typeof(x) WHEN 'BLOB' THEN hex(CAST(x AS BLOB))
    ELSE CAST(x AS VARCHAR) END) AS JSON);
CREATE OR REPLACE MACRO _sf.main.st_geographyfromwkt(s) AS _sf.main.to_geography(s);
CREATE OR REPLACE MACRO _sf.main.st_geographyfromtext(s) AS _sf.main.to_geography(s);
CREATE OR REPLACE MACRO _sf.main.st_geogfromtext(s) AS _sf.main.to_geography(s);
CREATE OR REPLACE MACRO _sf.main.st_geogfromwkt(s) AS _sf.main.to_geography(s);
CREATE OR REPLACE MACRO _sf.main.st_geographyfromwkb(s) AS _sf.main.to_geography(s);
CREATE OR REPLACE MACRO _sf.main.st_geogfromwkb(s) AS _sf.main.to_geography(s);
CREATE OR REPLACE MACRO _sf.main.try_st_geographyfromwkt(s) AS _sf.main.try_to_geography(s);
CREATE OR REPLACE MACRO _sf.main.st_geogfromgeohash(s) AS CAST(geo_geohash_box_(s) AS JSON);
CREATE OR REPLACE MACRO _sf.main.st_geographyfromgeohash(s) AS CAST(geo_geohash_box_(s) AS JSON);
CREATE OR REPLACE MACRO _sf.main.st_geogpointfromgeohash(s) AS CAST(geo_geohash_point_(s) AS JSON);
CREATE OR REPLACE MACRO _sf.main.st_geographypointfromgeohash(s) AS
  CAST(geo_geohash_point_(s) AS JSON);
CREATE OR REPLACE MACRO _sf.main.of_point_(g, i) AS
  CASE WHEN variant_text_(to_json(g), '$.type') = 'Point' OR g IS NULL
       THEN CAST(variant_path_(to_json(g), '$.coordinates[' || i || ']') AS DOUBLE)
       ELSE CAST(error('the GEOGRAPHY is not a point') AS DOUBLE) END;
CREATE OR REPLACE MACRO _sf.main.st_x(g) AS _sf.main.of_point_(g, 0);
CREATE OR REPLACE MACRO _sf.main.st_y(g) AS _sf.main.of_point_(g, 1);
CREATE OR REPLACE MACRO _sf.main.st_asgeojson(g) AS CAST(_sf.main.shape_(g) AS JSON);
CREATE OR REPLACE MACRO _sf.main.st_aswkt(g) AS geo_wkt_(_sf.main.shape_(g));
CREATE OR REPLACE MACRO _sf.main.st_astext(g) AS geo_wkt_(_sf.main.shape_(g));
CREATE OR REPLACE MACRO _sf.main.st_asewkt(g) AS 'SRID=4326;' || geo_wkt_(_sf.main.shape_(g));
CREATE OR REPLACE MACRO _sf.main.st_aswkb(g) AS geo_wkb_(_sf.main.shape_(g));
CREATE OR REPLACE MACRO _sf.main.st_asbinary(g) AS geo_wkb_(_sf.main.shape_(g));
CREATE OR REPLACE MACRO _sf.main.st_npoints(g) AS geo_npoints_(_sf.main.shape_(g));
CREATE OR REPLACE MACRO _sf.main.st_numpoints(g) AS geo_npoints_(_sf.main.shape_(g));
CREATE OR REPLACE MACRO _sf.main.st_dimension(g) AS geo_dimension_(_sf.main.shape_(g));
CREATE OR REPLACE MACRO _sf.main.st_srid(g) AS CASE WHEN g IS NOT NULL THEN 4326 END;
CREATE OR REPLACE MACRO _sf.main.st_isvalid(g) AS CASE WHEN g IS NOT NULL THEN true END;
CREATE OR REPLACE MACRO _sf.main.st_xmin(g) AS geo_xmin_(_sf.main.shape_(g));
CREATE OR REPLACE MACRO _sf.main.st_xmax(g) AS geo_xmax_(_sf.main.shape_(g));
CREATE OR REPLACE MACRO _sf.main.st_ymin(g) AS geo_ymin_(_sf.main.shape_(g));
CREATE OR REPLACE MACRO _sf.main.st_ymax(g) AS geo_ymax_(_sf.main.shape_(g));
CREATE OR REPLACE MACRO _sf.main.st_pointn(g, n) AS CAST(geo_pointn_(_sf.main.shape_(g), n) AS JSON);
CREATE OR REPLACE MACRO _sf.main.st_startpoint(g) AS CAST(geo_pointn_(_sf.main.shape_(g), 1) AS JSON);
CREATE OR REPLACE MACRO _sf.main.st_endpoint(g) AS CAST(geo_pointn_(_sf.main.shape_(g), -1) AS JSON);
CREATE OR REPLACE MACRO _sf.main.st_makeline(a, b) AS
  CAST(geo_makeline_(_sf.main.shape_(a), _sf.main.shape_(b)) AS JSON);
CREATE OR REPLACE MACRO _sf.main.st_makepolygon(g) AS CAST(geo_makepolygon_(_sf.main.shape_(g)) AS JSON);
CREATE OR REPLACE MACRO _sf.main.st_polygon(g) AS CAST(geo_makepolygon_(_sf.main.shape_(g)) AS JSON);
CREATE OR REPLACE MACRO _sf.main.st_collect(a, b) AS
  CAST(geo_collect_(_sf.main.shape_(a), _sf.main.shape_(b)) AS JSON);
CREATE OR REPLACE MACRO _sf.main.st_length(g) AS geo_length_(_sf.main.shape_(g));
CREATE OR REPLACE MACRO _sf.main.st_perimeter(g) AS geo_perimeter_(_sf.main.shape_(g));
CREATE OR REPLACE MACRO _sf.main.st_area(g) AS geo_area_(_sf.main.shape_(g));
CREATE OR REPLACE MACRO _sf.main.st_azimuth(a, b) AS
  geo_azimuth_(_sf.main.shape_(a), _sf.main.shape_(b));
CREATE OR REPLACE MACRO _sf.main.st_geohash(g, precision_ := 20) AS
  geo_geohash_(_sf.main.shape_(g), precision_);
CREATE OR REPLACE MACRO _sf.main.st_distance(a, b) AS
  geo_distance_(_sf.main.shape_(a), _sf.main.shape_(b));
CREATE OR REPLACE MACRO _sf.main.st_dwithin(a, b, metres) AS
  _sf.main.st_distance(a, b) <= metres;
CREATE OR REPLACE MACRO _sf.main.st_contains(a, b) AS
  geo_contains_(_sf.main.shape_(a), _sf.main.shape_(b)) = 1;
CREATE OR REPLACE MACRO _sf.main.st_covers(a, b) AS
  geo_contains_(_sf.main.shape_(a), _sf.main.shape_(b)) = 1;
CREATE OR REPLACE MACRO _sf.main.st_within(a, b) AS
  geo_contains_(_sf.main.shape_(b), _sf.main.shape_(a)) = 1;
CREATE OR REPLACE MACRO _sf.main.st_coveredby(a, b) AS
  geo_contains_(_sf.main.shape_(b), _sf.main.shape_(a)) = 1;
CREATE OR REPLACE MACRO _sf.main.st_intersects(a, b) AS
  geo_meet_(_sf.main.shape_(a), _sf.main.shape_(b)) = 1;
CREATE OR REPLACE MACRO _sf.main.st_disjoint(a, b) AS
  geo_meet_(_sf.main.shape_(a), _sf.main.shape_(b)) = 0;
