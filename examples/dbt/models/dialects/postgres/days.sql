select day::date as day, extract(dow from day)::int as weekday
from generate_series('2024-01-01'::timestamp, '2024-01-07'::timestamp, interval '1 day') as g(day)
