-- What benchmarks compare companies by. Names stay here.
select id as company_id, industry, country, country_code, version from companies;
