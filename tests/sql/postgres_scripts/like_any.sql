-- patterns in an array
create table texts (x text, ps text[]);
insert into texts values ('abc', '{a%,NULL}'), ('xbc', '{a%,NULL}'), (NULL, '{a}'), ('a', NULL), ('b', '{}'), ('a\b', '{"a\\\\b"}');
select x, x like any (ps), x like all (ps), x not like any (ps), x not like all (ps) from texts order by x nulls last;
select x, x ilike any (ps), x not ilike all (ps) from texts order by x nulls last;
select x from texts where x ilike any (array['A%', '%C']) order by x;
select x from texts where not x like any ('{a%}') order by x;
select x from texts where x not like all ('{a%,x%}') order by x;
select x from texts where x like any (array(select 'x%')) order by x;
