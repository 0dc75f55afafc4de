-- H3 cells; see cells.py. A cell is given as a number or as a text, and comes back as it was given.

CREATE OR REPLACE MACRO _sf.main.cell_text_(c) AS
  CASE WHEN typeof(c) IN ('VARCHAR', 'JSON') THEN variant_text_(to_json(c), '$')
       ELSE printf('%x', CAST(CAST(c AS VARCHAR) AS BIGINT)) END;
CREATE OR REPLACE MACRO _sf.main.cell_number_(s) AS CAST('0x' || s AS BIGINT);
CREATE OR REPLACE MACRO _sf.main.cell_numbers_(s) AS
  to_json(list_transform(CAST(CAST(s AS JSON) AS VARCHAR[]), lambda c: CAST('0x' || c AS BIGINT)));
CREATE OR REPLACE MACRO _sf.main.cells_as_(c VARCHAR, s) AS CAST(s AS JSON),
  (c, s) AS _sf.main.cell_numbers_(s);
CREATE OR REPLACE MACRO _sf.main.cell_as_(c VARCHAR, s) AS s,
  (c, s) AS _sf.main.cell_number_(s);

CREATE OR REPLACE MACRO _sf.main.h3_latlng_to_cell_string(y, x, r) AS h3_latlng_to_cell_(y, x, r);
CREATE OR REPLACE MACRO _sf.main.h3_latlng_to_cell(y, x, r) AS
  _sf.main.cell_number_(h3_latlng_to_cell_(y, x, r));
CREATE OR REPLACE MACRO _sf.main.h3_point_to_cell_string(g, r) AS
  h3_point_to_cell_(_sf.main.shape_(g), r);
CREATE OR REPLACE MACRO _sf.main.h3_point_to_cell(g, r) AS
  _sf.main.cell_number_(h3_point_to_cell_(_sf.main.shape_(g), r));
CREATE OR REPLACE MACRO _sf.main.h3_int_to_string(c) AS _sf.main.cell_text_(c);
CREATE OR REPLACE MACRO _sf.main.h3_string_to_int(c) AS _sf.main.cell_number_(CAST(c AS VARCHAR));
CREATE OR REPLACE MACRO _sf.main.h3_cell_to_parent(c, r) AS
  _sf.main.cell_as_(c, h3_cell_to_parent_(_sf.main.cell_text_(c), r));
CREATE OR REPLACE MACRO _sf.main.h3_cell_to_children(c, r) AS
  _sf.main.cell_numbers_(h3_cell_to_children_(_sf.main.cell_text_(c), r));
CREATE OR REPLACE MACRO _sf.main.h3_cell_to_children_string(c, r) AS
  CAST(h3_cell_to_children_(_sf.main.cell_text_(c), r) AS JSON);
CREATE OR REPLACE MACRO _sf.main.h3_cell_to_point(c) AS
  CAST(h3_cell_to_point_(_sf.main.cell_text_(c)) AS JSON);
CREATE OR REPLACE MACRO _sf.main.h3_cell_to_boundary(c) AS
  CAST(h3_cell_to_boundary_(_sf.main.cell_text_(c)) AS JSON);
CREATE OR REPLACE MACRO _sf.main.h3_get_resolution(c) AS
  h3_get_resolution_(_sf.main.cell_text_(c));
CREATE OR REPLACE MACRO _sf.main.h3_grid_distance(a, b) AS
  h3_grid_distance_(_sf.main.cell_text_(a), _sf.main.cell_text_(b));
CREATE OR REPLACE MACRO _sf.main.h3_try_grid_distance(a, b) AS
  h3_try_grid_distance_(_sf.main.cell_text_(a), _sf.main.cell_text_(b));
CREATE OR REPLACE MACRO _sf.main.h3_grid_disk(c, k) AS
  _sf.main.cells_as_(c, h3_grid_disk_(_sf.main.cell_text_(c), k));
CREATE OR REPLACE MACRO _sf.main.h3_grid_path(a, b) AS
  _sf.main.cells_as_(a, h3_grid_path_(_sf.main.cell_text_(a), _sf.main.cell_text_(b)));
CREATE OR REPLACE MACRO _sf.main.h3_try_grid_path(a, b) AS
  _sf.main.cells_as_(a, h3_try_grid_path_(_sf.main.cell_text_(a), _sf.main.cell_text_(b)));
CREATE OR REPLACE MACRO _sf.main.h3_polygon_to_cells(g, r) AS
  _sf.main.cell_numbers_(h3_polygon_to_cells_(_sf.main.shape_(g), r));
CREATE OR REPLACE MACRO _sf.main.h3_polygon_to_cells_strings(g, r) AS
  CAST(h3_polygon_to_cells_(_sf.main.shape_(g), r) AS JSON);
CREATE OR REPLACE MACRO _sf.main.h3_try_polygon_to_cells(g, r) AS
  _sf.main.cell_numbers_(h3_try_polygon_to_cells_(_sf.main.shape_(g), r));
CREATE OR REPLACE MACRO _sf.main.h3_try_polygon_to_cells_strings(g, r) AS
  CAST(h3_try_polygon_to_cells_(_sf.main.shape_(g), r) AS JSON);
CREATE OR REPLACE MACRO _sf.main.h3_coverage(g, r) AS
  _sf.main.cell_numbers_(h3_coverage_(_sf.main.shape_(g), r));
CREATE OR REPLACE MACRO _sf.main.h3_coverage_strings(g, r) AS
  CAST(h3_coverage_(_sf.main.shape_(g), r) AS JSON);
CREATE OR REPLACE MACRO _sf.main.h3_try_coverage(g, r) AS
  _sf.main.cell_numbers_(h3_try_coverage_(_sf.main.shape_(g), r));
CREATE OR REPLACE MACRO _sf.main.h3_try_coverage_strings(g, r) AS
  CAST(h3_try_coverage_(_sf.main.shape_(g), r) AS JSON);
CREATE OR REPLACE MACRO _sf.main.h3_compact_cells(a) AS
  _sf.main.cell_numbers_(h3_compact_cells_(CAST(to_json(a) AS VARCHAR)));
CREATE OR REPLACE MACRO _sf.main.h3_compact_cells_strings(a) AS
  CAST(h3_compact_cells_(CAST(to_json(a) AS VARCHAR)) AS JSON);
CREATE OR REPLACE MACRO _sf.main.h3_uncompact_cells(a, r) AS
  _sf.main.cell_numbers_(h3_uncompact_cells_(CAST(to_json(a) AS VARCHAR), r));
CREATE OR REPLACE MACRO _sf.main.h3_uncompact_cells_strings(a, r) AS
  CAST(h3_uncompact_cells_(CAST(to_json(a) AS VARCHAR), r) AS JSON);
CREATE OR REPLACE MACRO _sf.main.h3_is_valid_cell(c) AS
  h3_is_valid_cell_(_sf.main.cell_text_(c)) = 1;
CREATE OR REPLACE MACRO _sf.main.h3_is_pentagon(c) AS
  h3_is_pentagon_(_sf.main.cell_text_(c)) = 1;
