-- Once, as the database's owner: an account and a database for Hikeshi alone. Its password is set by \password.
create role hikeshi login;
create database hikeshi owner hikeshi encoding 'UTF8' template template0;
revoke connect on database hikeshi from public;
