-- Publishers give a company's industry and country no greatest length, nor do the platform's documents: a long one is
-- no reason to refuse the company.
alter table companies
    alter column industry type varchar,
    alter column country type varchar,
    alter column country_code type varchar;
