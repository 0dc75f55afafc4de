-- what is there already is passed over
DO $$ BEGIN CREATE TYPE mood AS ENUM ('sad', 'ok'); EXCEPTION WHEN duplicate_object THEN null; END $$;
DO $$ BEGIN
 CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy'); EXCEPTION
 WHEN duplicate_object THEN null; END $$;
create type mood as enum ('x');
create table p (id int primary key);
create table c (id int primary key, p int);
DO $$ BEGIN ALTER TABLE "c" ADD CONSTRAINT "c_p_fk" FOREIGN KEY ("p") REFERENCES "p"("id") ON DELETE no action; EXCEPTION WHEN duplicate_object THEN null; END $$;
DO $$ BEGIN ALTER TABLE "c" ADD CONSTRAINT "c_p_fk" FOREIGN KEY ("p") REFERENCES "p"("id") ON DELETE no action; EXCEPTION WHEN duplicate_object OR duplicate_table THEN NULL; END; $$ LANGUAGE plpgsql;
insert into c values (1, 1);
do 'begin insert into p values (1); insert into p values (1); exception when unique_violation then null; end';
select count(*) from p;
do 'begin insert into p values (1); insert into p values (1); end';
select count(*) from p;
do 'begin insert into p values (5); alter table p add column n int; end';
select * from p;
DO $$ BEGIN ALTER TABLE p ADD COLUMN n int; EXCEPTION WHEN duplicate_column THEN null; WHEN undefined_table THEN null; END $$;
DO $$ BEGIN ALTER TABLE nosuch ADD COLUMN n int; EXCEPTION WHEN duplicate_column THEN null; END $$;
DO $$ BEGIN ALTER TABLE nosuch ADD COLUMN n int; EXCEPTION WHEN OTHERS THEN null; END $$;
begin;
insert into p values (6, 6);
DO $$ BEGIN CREATE TYPE mood AS ENUM ('sad'); EXCEPTION WHEN duplicate_object THEN null; END $$;
insert into p values (7, 7);
DO $$ BEGIN INSERT INTO p VALUES (8, 8); INSERT INTO p VALUES (8, 8); EXCEPTION WHEN unique_violation THEN null; END $$;
commit;
select * from p order by id;

-- an error that is ignored amid a message of several statements
create type again as enum ('a');
create table kept (n int);
insert into kept values (1); do 'begin insert into kept values (2); create type again as enum (''b''); exception when duplicate_object then null; end'; insert into kept values (3);
select * from kept order by n;
insert into kept values (4); do 'begin create type again as enum (''b''); end'; insert into kept values (5);
select * from kept order by n;
