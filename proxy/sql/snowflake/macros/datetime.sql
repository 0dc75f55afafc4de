-- Dates and times.

-- A calendar step keeps the type: DATE plus a month is a DATE.
CREATE OR REPLACE MACRO _sf.main.plus_(x, step) AS cast_to_type(x + step, x);
CREATE OR REPLACE MACRO _sf.main.minus_(x, step) AS cast_to_type(x - step, x);
-- The last day of a month plus months is the last day of a month.
CREATE OR REPLACE MACRO _sf.main.add_months_(x, n) AS
  cast_to_type(
    CASE WHEN CAST(x AS DATE) = last_day(CAST(x AS DATE))
         THEN last_day(CAST(x + to_months(n) AS DATE)) + (x - date_trunc('day', x))
         ELSE x + to_months(n) END, x);
-- A DATE and whole days; other sums are what they are.
CREATE OR REPLACE MACRO _sf.main.sum_
  (a DATE, b BIGINT) AS a + CAST(b AS INTEGER),
  (a BIGINT, b DATE) AS b + CAST(a AS INTEGER),
  (a, b) AS a + b;
CREATE OR REPLACE MACRO _sf.main.difference_
  (a DATE, b BIGINT) AS a - CAST(b AS INTEGER),
  (a, b) AS a - b;
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

-- A TIME is shown as on any day.
CREATE OR REPLACE MACRO _sf.main.date_text_(x, model) AS
  CASE typeof(x) WHEN 'TIME' THEN strftime(DATE '2000-01-01' + TRY_CAST(x AS TIME), model)
    WHEN 'DATE' THEN strftime(TRY_CAST(x AS DATE), model)
    WHEN 'TIMESTAMP WITH TIME ZONE' THEN strftime(TRY_CAST(x AS TIMESTAMPTZ), model)
    WHEN 'TIMESTAMP' THEN strftime(TRY_CAST(x AS TIMESTAMP), model)
    ELSE strftime(_sf.main.to_timestamp_(x), model) END;

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
