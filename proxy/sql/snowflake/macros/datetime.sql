-- Dates and times.

-- A column where a date or time is wanted may hold texts: they are read as TO_TIMESTAMP reads them.
-- A VARIANT comes as its JSON text, in quotes; a form of its own would take dates as well.
CREATE OR REPLACE MACRO _sf.main.moment_
  (x VARCHAR) AS _sf.main.auto_timestamp_(trim(x, '"')),
  (x) AS x;

-- A text that spells a time of day alone, beside a TIME or something else.
CREATE OR REPLACE MACRO _sf.main.clock_beside_
  (x VARCHAR, o TIME) AS _sf.main.to_time_(x),
  (x VARCHAR, o) AS _sf.main.to_timestamp_(x);

-- A calendar step keeps the type: DATE plus a month is a DATE.
CREATE OR REPLACE MACRO _sf.main.plus_(x, step) AS cast_to_type(x + step, x);
CREATE OR REPLACE MACRO _sf.main.minus_(x, step) AS cast_to_type(x - step, x);
-- The last day of a month plus months is the last day of a month.
CREATE OR REPLACE MACRO _sf.main.add_months_(x, n) AS
  cast_to_type(
    CASE WHEN CAST(x AS DATE) = last_day(CAST(x AS DATE))
         THEN last_day(CAST(x + to_months(n) AS DATE)) + (x - date_trunc('day', x))
         ELSE x + to_months(n) END, x);
-- A DATE and whole days; texts, and VARIANTs, are read as numbers; other sums are what they are.
CREATE OR REPLACE MACRO _sf.main.sum_
  (a DATE, b BIGINT) AS a + CAST(b AS INTEGER),
  (a DATE, b HUGEINT) AS a + CAST(b AS INTEGER),
  (a DATE, b DECIMAL(38, 0)) AS a + CAST(b AS INTEGER),
  (a DECIMAL(38, 0), b DATE) AS b + CAST(a AS INTEGER),
  (a BIGINT, b DATE) AS b + CAST(a AS INTEGER),
  (a HUGEINT, b DATE) AS b + CAST(a AS INTEGER),
  (a VARCHAR, b VARCHAR) AS _sf.main.number_(a) + _sf.main.number_(b),
  (a VARCHAR, b) AS _sf.main.number_(a) + b,
  (a, b VARCHAR) AS a + _sf.main.number_(b),
  (a, b) AS a + b;
CREATE OR REPLACE MACRO _sf.main.difference_
  (a DATE, b BIGINT) AS a - CAST(b AS INTEGER),
  (a DATE, b HUGEINT) AS a - CAST(b AS INTEGER),
  (a DATE, b DECIMAL(38, 0)) AS a - CAST(b AS INTEGER),
  (a DATE, b VARCHAR) AS a - _sf.main.to_date_(b),
  (a VARCHAR, b DATE) AS _sf.main.to_date_(a) - b,
  (a VARCHAR, b VARCHAR) AS _sf.main.number_(a) - _sf.main.number_(b),
  (a VARCHAR, b) AS _sf.main.number_(a) - b,
  (a, b VARCHAR) AS a - _sf.main.number_(b),
  (a, b) AS a - b;
CREATE OR REPLACE MACRO _sf.main.product_
  (a VARCHAR, b VARCHAR) AS _sf.main.number_(a) * _sf.main.number_(b),
  (a VARCHAR, b) AS _sf.main.number_(a) * b,
  (a, b VARCHAR) AS a * _sf.main.number_(b),
  (a, b) AS a * b;
CREATE OR REPLACE MACRO _sf.main.date_trunc_(unit, x TIME) AS
    CAST(date_trunc(unit, DATE '2000-01-01' + x) AS TIME),
  (unit, x) AS cast_to_type(date_trunc(unit, x), x);

CREATE OR REPLACE MACRO _sf.main.epoch_second_(x) AS CAST(floor(epoch(x)) AS BIGINT);
CREATE OR REPLACE MACRO _sf.main.epoch_millisecond_(x) AS epoch_ms(x);
CREATE OR REPLACE MACRO _sf.main.epoch_microsecond_(x) AS epoch_us(x);
CREATE OR REPLACE MACRO _sf.main.epoch_nanosecond_(x) AS epoch_us(x) * CAST(1000 AS HUGEINT);
CREATE OR REPLACE MACRO _sf.main.nanosecond_(x) AS date_part('microsecond', x) % 1000000 * 1000;
CREATE OR REPLACE MACRO _sf.main.microsecond_(x) AS date_part('microsecond', x) % 1000000;
CREATE OR REPLACE MACRO _sf.main.millisecond_(x) AS date_part('microsecond', x) % 1000000 // 1000;

CREATE OR REPLACE MACRO _sf.main.last_day_of_month_(x) AS last_day(CAST(x AS DATE));
CREATE OR REPLACE MACRO _sf.main.last_day_of_year_(x) AS make_date(year(x), 12, 31);
CREATE OR REPLACE MACRO _sf.main.last_day_of_quarter_(x) AS
  last_day(CAST(date_trunc('quarter', CAST(x AS DATE)) + to_months(2) AS DATE));
CREATE OR REPLACE MACRO _sf.main.last_day_of_week_(x) AS
  CAST(date_trunc('week', CAST(x AS DATE)) AS DATE) + 6;

-- Monday is 1; the first two letters decide.
CREATE OR REPLACE MACRO _sf.main.weekday_(name) AS
  CASE lower(left(trim(name), 2))
    WHEN 'mo' THEN 1 WHEN 'tu' THEN 2 WHEN 'we' THEN 3 WHEN 'th' THEN 4
    WHEN 'fr' THEN 5 WHEN 'sa' THEN 6 WHEN 'su' THEN 7
    ELSE error('Invalid day of week ''' || name || '''') END;
CREATE OR REPLACE MACRO _sf.main.next_day_(x, name) AS
  CAST(x AS DATE) + CAST(7 - (isodow(CAST(x AS DATE)) - _sf.main.weekday_(name) + 7) % 7 AS INTEGER);
CREATE OR REPLACE MACRO _sf.main.previous_day_(x, name) AS
  CAST(x AS DATE) - CAST(7 - (_sf.main.weekday_(name) - isodow(CAST(x AS DATE)) + 7) % 7 AS INTEGER);

-- A timestamp of nanoseconds, cut.
CREATE OR REPLACE MACRO _sf.main.microseconds_(x) AS make_timestamp(epoch_ns(x) // 1000);

-- A TIME is shown as on any day.
CREATE OR REPLACE MACRO _sf.main.date_text_
  (x TIME, model) AS strftime(DATE '2000-01-01' + x, model),
  (x DATE, model) AS strftime(x, model),
  (x TIMESTAMPTZ, model) AS strftime(x, model),
  (x TIMESTAMP, model) AS strftime(x, model),
  (x TIMESTAMP_NS, model) AS strftime(_sf.main.microseconds_(x), model),
  (x, model) AS strftime(_sf.main.any_timestamp_(x), model);
-- The first n digits of a second's fraction, of nine.
CREATE OR REPLACE MACRO _sf.main.finer_nanosecond_(x) AS epoch_ns(x) % 1000000000;
CREATE OR REPLACE MACRO _sf.main.finer_epoch_nanosecond_(x) AS epoch_ns(x);
CREATE OR REPLACE MACRO _sf.main.fraction_text_
  (x TIMESTAMP_NS, n) AS left(lpad(CAST(epoch_ns(x) % 1000000000 AS VARCHAR), 9, '0'), n),
  (x DATE, n) AS repeat('0', n),
  (x TIME, n) AS left(strftime(DATE '2000-01-01' + x, '%f') || '000', n),
  (x, n) AS left(strftime(_sf.main.any_timestamp_(x), '%f') || '000', n);
-- TIMESTAMP_TZ: what the clock shows, and minutes east of UTC; see zoned.py.
CREATE OR REPLACE MACRO _sf.main.pair_(t, o) AS
  {'t': CAST(t AS TIMESTAMP), 'o': CAST(o AS BIGINT)};
CREATE OR REPLACE MACRO _sf.main.moment_of_(p) AS
  list_transform([p], lambda v: timezone('UTC', v.t - to_minutes(v.o)))[1];
-- Minutes of the offset at the end of a text, NULL where it has none.
CREATE OR REPLACE MACRO _sf.main.plain_offset_(s) AS regexp_replace(s, '\s*[Zz]$', ' +00');
CREATE OR REPLACE MACRO _sf.main.written_offset_(s) AS
  CASE WHEN regexp_full_match(s, '.*[Zz]') THEN '+0000'
       WHEN regexp_full_match(s, '.*:[0-9]{2}(\.[0-9]*)?\s*[+-][0-9]{1,2}(:?[0-9]{2})?')
         THEN regexp_extract(s, '[+-][0-9]{1,2}(:?[0-9]{2})?$')
       WHEN regexp_full_match(s, '.*:[0-9]{2} [+-][0-9]{4} [0-9]{4}')
         THEN regexp_extract(s, '[+-][0-9]{4}') END;
CREATE OR REPLACE MACRO _sf.main.minutes_(o) AS
  CASE WHEN starts_with(o, '-') THEN -1 ELSE 1 END
  * (CAST(regexp_extract(o, '^[+-]([0-9]{1,2})', 1) AS BIGINT) * 60
     + coalesce(TRY_CAST(regexp_extract(o, '^[+-][0-9]{1,2}:?([0-9]{2})$', 1) AS BIGINT), 0));
CREATE OR REPLACE MACRO _sf.main.offset_in_(s) AS
  _sf.main.minutes_(regexp_extract(s, '[+-][0-9]{1,2}(:?[0-9]{2})?$'));
CREATE OR REPLACE MACRO _sf.main.local_pair_(t) AS
  list_transform([t], lambda v: {
    't': v, 'o': CAST(timezone_hour(CAST(v AS TIMESTAMPTZ)) * 60
                      + timezone_minute(CAST(v AS TIMESTAMPTZ)) AS BIGINT)})[1];
CREATE OR REPLACE MACRO _sf.main.pair_with_(t, o) AS
  CASE WHEN o IS NULL THEN _sf.main.local_pair_(t) ELSE {'t': t, 'o': o} END;
CREATE OR REPLACE MACRO _sf.main.local_clock_(w) AS
  CASE WHEN regexp_full_match(w, '-?[0-9]+')
       THEN CAST(timezone('UTC', _sf.main.auto_timestamp_(w)) AS TIMESTAMP)
       ELSE _sf.main.auto_timestamp_(w) END;
CREATE OR REPLACE MACRO _sf.main.read_pair_(s) AS
  list_transform([trim(s)], lambda w: list_transform([{
    't': _sf.main.local_clock_(w), 'o': _sf.main.minutes_(_sf.main.written_offset_(w))}],
    lambda v: _sf.main.pair_with_(v.t, v.o))[1])[1];
CREATE OR REPLACE MACRO _sf.main.zoned_
  (x TIMESTAMP) AS _sf.main.local_pair_(x),
  (x TIMESTAMPTZ) AS _sf.main.local_pair_(CAST(x AS TIMESTAMP)),
  (x DATE) AS _sf.main.local_pair_(CAST(x AS TIMESTAMP)),
  (x) AS CASE replace(typeof(x), 'JSONB', 'JSON')
    WHEN 'VARCHAR' THEN _sf.main.read_pair_(CAST(x AS VARCHAR))
    WHEN 'JSON' THEN _sf.main.read_pair_(variant_text_(to_json(x), '$'))
    ELSE _sf.main.local_pair_(
      CAST(timezone('UTC', _sf.main.number_timestamp_(x)) AS TIMESTAMP)) END;
CREATE OR REPLACE MACRO _sf.main.pair_of_moment_(m, o) AS
  list_transform([{'m': CAST(m AS TIMESTAMPTZ), 'o': CAST(o AS BIGINT)}],
    lambda v: {'t': timezone('UTC', v.m) + to_minutes(v.o), 'o': v.o})[1];
CREATE OR REPLACE MACRO _sf.main.pair_in_(m, zone) AS
  list_transform([CAST(m AS TIMESTAMPTZ)], lambda v: {
   't': timezone(zone, v),
   'o': date_diff('minute', timezone('UTC', v), timezone(zone, v))})[1];
CREATE OR REPLACE MACRO _sf.main.in_zone_(zone, m) AS timezone(zone, m);

-- Minutes east of UTC of the session's zone at that moment.
CREATE OR REPLACE MACRO _sf.main.offset_of_
  (x TIMESTAMPTZ) AS timezone_hour(x) * 60 + timezone_minute(x),
  (x) AS CASE WHEN typeof(x) = 'VARCHAR' THEN _sf.main.read_pair_(CAST(x AS VARCHAR)).o
    WHEN x IS NOT NULL THEN CAST(error('the offset of what has no time zone is not supported') AS BIGINT) END;
CREATE OR REPLACE MACRO _sf.main.offset_text_(minutes, style) AS
  list_transform([minutes], lambda m: CASE WHEN m < 0 THEN '-' ELSE '+' END
    || printf('%02d', abs(m) // 60)
    || CASE style WHEN 'h' THEN '' ELSE style || printf('%02d', abs(m) % 60) END)[1];
CREATE OR REPLACE MACRO _sf.main.timezone_hour_(minutes) AS CAST(trunc(minutes / 60) AS BIGINT);
CREATE OR REPLACE MACRO _sf.main.timezone_minute_(minutes) AS CAST(minutes % 60 AS BIGINT);

-- Weeks that begin `shift` days after Monday; see weeks.py.
CREATE OR REPLACE MACRO _sf.main.week_begins_(x, shift) AS
  CAST(date_trunc('week', CAST(x AS DATE) - CAST(shift AS INTEGER)) AS DATE) + CAST(shift AS INTEGER);
CREATE OR REPLACE MACRO _sf.main.week_ends_(x, shift) AS _sf.main.week_begins_(x, shift) + 6;
CREATE OR REPLACE MACRO _sf.main.week_middle_(x, shift) AS _sf.main.week_begins_(x, shift) + 3;
CREATE OR REPLACE MACRO _sf.main.week_of_middle_(d) AS (dayofyear(d) - 1) // 7 + 1;
CREATE OR REPLACE MACRO _sf.main.day_of_week_(x, shift) AS
  (isodow(CAST(x AS DATE)) - 1 - shift + 7) % 7 + 1;
CREATE OR REPLACE MACRO _sf.main.week_from_january_(x, shift) AS
  date_diff('day', _sf.main.week_begins_(make_date(year(x), 1, 1), shift),
            _sf.main.week_begins_(x, shift)) // 7 + 1;

-- A year of two digits: strptime's 69 is 1969, and its 68 is 2068.
CREATE OR REPLACE MACRO _sf.main.in_century_(x, start) AS
  x + to_years(CAST(CASE WHEN year(x) < start THEN 100 WHEN year(x) >= start + 100 THEN -100
                    ELSE 0 END AS INTEGER));

-- Values in formats of the session's own: only the branch of x's type is bound to be right.
CREATE OR REPLACE MACRO _sf.main.as_date_(x) AS TRY_CAST(CASE typeof(x) WHEN 'DATE' THEN x END AS DATE);
CREATE OR REPLACE MACRO _sf.main.as_time_(x) AS TRY_CAST(CASE typeof(x) WHEN 'TIME' THEN x END AS TIME);
CREATE OR REPLACE MACRO _sf.main.as_ntz_(x) AS
  TRY_CAST(CASE typeof(x) WHEN 'TIMESTAMP' THEN x END AS TIMESTAMP);
CREATE OR REPLACE MACRO _sf.main.as_ltz_(x) AS
  TRY_CAST(CASE typeof(x) WHEN 'TIMESTAMP WITH TIME ZONE' THEN x END AS TIMESTAMPTZ);
CREATE OR REPLACE MACRO _sf.main.text_by_type_(x, date_, time_, ntz, ltz) AS
  CASE typeof(x) WHEN 'DATE' THEN date_ WHEN 'TIME' THEN time_ WHEN 'TIMESTAMP' THEN ntz
    WHEN 'TIMESTAMP WITH TIME ZONE' THEN ltz ELSE _sf.main.any_text_(x) END;
CREATE OR REPLACE MACRO _sf.main.base64_text_(x BLOB) AS to_base64(x), (x) AS x;
-- Whole microseconds of nanoseconds: finer ones would be lost.
CREATE OR REPLACE MACRO _sf.main.microseconds_of_(n) AS
  CASE WHEN CAST(n AS BIGINT) % 1000 <> 0 THEN error('adding single nanoseconds is not supported')
       ELSE CAST(n AS BIGINT) // 1000 END;

-- Parts beyond their range carry over: a month 13 is the next year's first.
CREATE OR REPLACE MACRO _sf.main.from_parts_(y, mo, d, h, mi, s, ns) AS
  make_timestamp(CAST(y AS BIGINT), 1, 1, 0, 0, 0) + to_months(CAST(mo - 1 AS INTEGER))
  + to_days(CAST(d - 1 AS INTEGER)) + to_hours(CAST(h AS BIGINT)) + to_minutes(CAST(mi AS BIGINT))
  + to_seconds(s) + to_microseconds(CAST(ns AS BIGINT) // 1000);
CREATE OR REPLACE MACRO _sf.main.seconds_of_day_(x) AS
  epoch(CAST(x AS TIMESTAMP)) - epoch(date_trunc('day', CAST(x AS TIMESTAMP)));
CREATE OR REPLACE MACRO _sf.main.whole_months_(a, b) AS
  12 * (year(a) - year(b)) + month(a) - month(b);
CREATE OR REPLACE MACRO _sf.main.months_between_(a, b) AS
  CASE WHEN day(a) = day(b) OR (CAST(a AS DATE) = last_day(a) AND CAST(b AS DATE) = last_day(b))
       THEN CAST(_sf.main.whole_months_(a, b) AS DOUBLE)
       ELSE round(_sf.main.whole_months_(a, b)
         + (day(a) - day(b) + (_sf.main.seconds_of_day_(a) - _sf.main.seconds_of_day_(b)) / 86400)
           / 31, 6) END;
CREATE OR REPLACE MACRO _sf.main.time_of_parts_(h, mi, s, ns) AS
  CAST(TIMESTAMP '2000-01-01' + to_hours(CAST(h AS BIGINT)) + to_minutes(CAST(mi AS BIGINT))
    + to_seconds(s) + to_microseconds(CAST(ns AS BIGINT) // 1000) AS TIME);
