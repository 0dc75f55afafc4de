-- Regular expressions: RE2 on both sides. Flags come with the pattern, as (?i). A place in the text
-- is found by taking the text apart at the matches.

CREATE OR REPLACE MACRO _sf.main.re_solid_(found) AS
  CASE WHEN list_contains(found, '')
       THEN error('a pattern that matches the empty string has no occurrences to count here')
       ELSE found END;
-- Where the n-th match begins, 0 without one.
CREATE OR REPLACE MACRO _sf.main.re_begin_(s, p, n) AS
  CASE WHEN s IS NULL OR p IS NULL THEN NULL
       WHEN len(regexp_extract_all(s, p)) < n THEN 0
       ELSE CAST(1
         + coalesce(list_sum(list_transform(string_split_regex(s, p)[1:n], lambda t: length(t))), 0)
         + coalesce(list_sum(list_transform(
             _sf.main.re_solid_(regexp_extract_all(s, p))[1:n - 1], lambda t: length(t))), 0)
         AS BIGINT) END;
CREATE OR REPLACE MACRO _sf.main.regexp_instr_(s, p, pos, n, past) AS
  CASE _sf.main.re_begin_(substr(s, pos), p, n) WHEN 0 THEN 0
    ELSE pos - 1 + _sf.main.re_begin_(substr(s, pos), p, n)
      + CASE WHEN past = 1 THEN length(regexp_extract_all(substr(s, pos), p)[n]) ELSE 0 END END;
-- `parts` has two groups: what comes before the group asked for, and that group.
CREATE OR REPLACE MACRO _sf.main.regexp_instr_group_(s, p, pos, n, past, parts) AS
  CASE _sf.main.re_begin_(substr(s, pos), p, n) WHEN 0 THEN 0
    ELSE pos - 1 + _sf.main.re_begin_(substr(s, pos), p, n)
      + length(regexp_extract(regexp_extract_all(substr(s, pos), p)[n], parts, 1))
      + CASE WHEN past = 1
             THEN length(regexp_extract(regexp_extract_all(substr(s, pos), p)[n], parts, 2))
             ELSE 0 END END;
CREATE OR REPLACE MACRO _sf.main.regexp_count_(s, p, pos) AS
  CASE WHEN p = '' AND s IS NOT NULL THEN 0 ELSE CAST(len(regexp_extract_all(substr(s, pos), p)) AS BIGINT) END;
CREATE OR REPLACE MACRO _sf.main.regexp_substr_(s, p, pos, n, g) AS
  CASE WHEN p IS NOT NULL THEN regexp_extract_all(substr(s, pos), p, g)[n] END;
CREATE OR REPLACE MACRO _sf.main.regexp_substr_all_(s, p, pos, n, g) AS
  CASE WHEN s IS NOT NULL AND p IS NOT NULL
       THEN to_json(regexp_extract_all(substr(s, pos), p, g)[n:]) END;
CREATE OR REPLACE MACRO _sf.main.regexp_replace_from_(s, p, r, pos) AS
  left(s, pos - 1) || regexp_replace(substr(s, pos), p, r, 'g');
CREATE OR REPLACE MACRO _sf.main.re_replaced_(t, p, r) AS
  CASE WHEN regexp_full_match(t, p) THEN regexp_replace(t, p, r)
       ELSE error('this pattern depends on what surrounds the match') END;
CREATE OR REPLACE MACRO _sf.main.regexp_replace_nth_(s, p, r, pos, n) AS
  CASE _sf.main.re_begin_(substr(s, pos), p, n) WHEN 0 THEN s
    ELSE left(s, pos - 2 + _sf.main.re_begin_(substr(s, pos), p, n))
      || _sf.main.re_replaced_(regexp_extract_all(substr(s, pos), p)[n], p, r)
      || substr(s, pos - 1 + _sf.main.re_begin_(substr(s, pos), p, n)
                   + length(regexp_extract_all(substr(s, pos), p)[n])) END;
