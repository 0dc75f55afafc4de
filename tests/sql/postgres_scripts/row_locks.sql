-- what another one has locked is skipped
create table q (id int primary key, state text default 'new', n int);
insert into q (id) select generate_series(1, 9);
begin;
select id from q where state = 'new' order by id limit 2 for update skip locked;
@2 begin;
@2 select id from q where state = 'new' order by id limit 2 for update skip locked;
@2 update q set state = 'old' where id = 3;
select id from q where state = 'new' order by id limit 2 for update skip locked;
update q set state = 'old' where id = (select id from q where state = 'new' order by id desc limit 1 for update skip locked) returning *;
@2 rollback;
select id from q where state = 'new' order by id offset 2 limit 2 for update skip locked;
@2 select id from q order by id for update skip locked;
commit;
@2 select id, state from q order by id for update skip locked;

-- statements of their own, between those of a transaction
create table q (id int primary key, state text default 'new');
create table done (id int);
insert into q (id) select generate_series(1, 12);
begin;
select id from q order by id limit 3 for no key update skip locked;
@2 update q set state = 'a' where id in (select id from q where state = 'new' order by id limit 1 for update skip locked) returning *;
@2 with x as (select id from q where state = 'new' order by id limit 1 for update skip locked) update q set state = 'b' from x where x.id = q.id returning q.*;
@2 delete from q using (select id from q where state = 'new' order by id limit 1 for update skip locked) as x where x.id = q.id returning q.*;
@2 delete from q where id = any (array(select id from q where state = 'new' order by id limit 1 for update skip locked)) returning *;
@2 with x as (delete from q where id = (select id from q where state = 'new' order by id limit 1 for update skip locked) returning id), y as (insert into done select id from x returning id) select * from y;
@2 select id from q where state = 'new' order by id for key share skip locked;
rollback;
@2 select * from q order by id limit 4 for update skip locked;
@2 select * from done;

-- whose lock it is, and how strong
create table t (id int primary key, n int);
create table u (id int primary key, n int);
insert into t values (1, 10), (2, 20);
insert into u values (1, 10), (2, 20), (3, 30);
begin;
select t.id, u.id from t join u using (n) where t.id = 1 for update of u;
@2 begin;
@2 select * from t order by id for update nowait;
@2 select * from u order by id for share skip locked;
@2 select u.id, t.id from u left join t using (id) order by 1 for update of u skip locked;
select * from u where id = 2 for share nowait;
rollback;
@2 select * from u order by id for share;
select * from u order by id for share nowait;
select * from u order by id for update skip locked;
@2 commit;

-- what cannot be locked
create table t (id int primary key, n int);
select count(*) from t for update skip locked;
select distinct n from t for update skip locked;
select n from t for update of nobody skip locked;
select n from t union select n from t for update skip locked;
-- a queue whose takers are told what they have taken
create table jobs (id int primary key, state text default 'new', prio int);
insert into jobs (id, prio) values (1, 5), (2, 6), (3, 7), (4, 8);
begin;
update jobs set state = 'run' from (select id, prio from jobs where state = 'new' order by id limit 2 for update skip locked) p where jobs.id = p.id returning jobs.id, p.prio, state;
@2 begin;
@2 update jobs set state = 'run' from (select id, prio from jobs where state = 'new' order by id limit 1 for update skip locked) p where jobs.id = p.id returning jobs.id, p.prio, state;
@2 delete from jobs using (select id from jobs where state = 'new' order by id limit 1 for update skip locked) p where jobs.id = p.id returning jobs.*, p.id as taken;
@2 commit;
commit;
select * from jobs order by id;
