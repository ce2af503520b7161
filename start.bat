@echo off
rem Starts the system with Docker Compose; the first time it makes the secrets and .env, and builds the image.
rem   start.bat [simulate] [monitoring]    start, with these profiles
rem   start.bat secrets                    only make what is missing of .secrets and .env
rem A secret that is there is never replaced. The file ends its lines as Windows does.
setlocal
cd /d "%~dp0"
set "RANDOM_HEX=function hex($n){$b=New-Object byte[] $n;[Security.Cryptography.RandomNumberGenerator]::Create().GetBytes($b);[BitConverter]::ToString($b).Replace('-','').ToLower()};"
if not exist .env copy .env.example .env >nul
if not exist .secrets (
    mkdir .secrets
    icacls .secrets /inheritance:r /grant:r "%USERNAME%:(OI)(CI)F" >nul
)
for %%n in (postgres_password owner_password worker_password board_password api_password mlflow_password grafana_password) do (
    if not exist .secrets\%%n powershell -NoProfile -Command "%RANDOM_HEX% [IO.File]::WriteAllText((Join-Path $PWD '.secrets\%%n'), (hex 24))" || exit /b 1
)
for %%n in (operator_key board_key) do (
    if not exist .secrets\%%n powershell -NoProfile -Command "%RANDOM_HEX% [IO.File]::WriteAllText((Join-Path $PWD '.secrets\%%n'), ('tc_' + (hex 6) + '_' + (hex 32)))" || exit /b 1
)
for %%n in (slack_url smtp_password) do if not exist .secrets\%%n type nul >.secrets\%%n
if "%~1"=="secrets" exit /b 0
docker compose version >nul 2>nul || (
    echo start: Docker with its compose plugin is not here: install Docker Desktop
    exit /b 1
)
set "PROFILES="
for %%p in (%*) do call set "PROFILES=%%PROFILES%% --profile %%p"
findstr /r "^IMAGE=." .env >nul && (docker compose pull --quiet prepare || exit /b 1) || (docker compose build prepare || exit /b 1)
docker compose %PROFILES% up --detach --remove-orphans || exit /b 1
echo start: the board is at http://127.0.0.1:8050 and the API at http://127.0.0.1:8000/docs, unless .env says otherwise
