-- Undoes 0046; stops where a text has become too long.
alter table companies
    alter column industry type varchar(100),
    alter column country type varchar(100),
    alter column country_code type varchar(10);
