# Two stages to run: `web` serves pages and predictions without PyTorch, `worker` trains.
FROM python:3.11-slim AS web
ENV PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 WINNOW_HOME=/home/winnow/data HF_HOME=/home/winnow/data/hub
RUN useradd --create-home --uid 10001 winnow && install -d -o winnow /home/winnow/data
WORKDIR /app
COPY pyproject.toml constraints.txt README.md LICENSE manage.py ./
COPY annotate annotate
COPY training training
COPY templates templates
RUN pip install --constraint constraints.txt --editable ".[parquet]"
USER winnow
VOLUME /home/winnow/data
EXPOSE 8000

FROM web AS worker
USER root
# The slim image lacks the OpenMP runtime that LightGBM is linked to.
RUN apt-get update && apt-get install --yes --no-install-recommends libgomp1 && rm -rf /var/lib/apt/lists/*
RUN pip install --constraint constraints.txt --editable ".[train]"
USER winnow
